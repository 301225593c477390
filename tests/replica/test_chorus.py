"""Many quiet groups beat together, and nothing else about them changes."""

from collections.abc import Callable

import msgspec
import pytest

from pnyx.consensus.consensus import Consensus
from pnyx.consensus.engines import EngineName
from pnyx.consensus.member.door import Door
from pnyx.ids import Epoch, GroupId, NodeId, ShardId
from pnyx.machine.commands import Get, Set
from pnyx.machine.moves import FoundShards
from pnyx.machine.results import OK
from pnyx.machine.slots import slot_of
from pnyx.replica.chorus import TOGETHER_MIN, Chorus
from pnyx.replica.messages import Beats
from pnyx.replica.requests import Done
from replica.rosters import Nodes

GROUPS = 30

Quiet = Callable[..., Nodes]


@pytest.fixture(params=list(EngineName))
def quiet(request: pytest.FixtureRequest) -> Quiet:
    def at_rest(groups: int = GROUPS) -> Nodes:
        """Three nodes, each with a third of the groups to lead, all of them at rest."""
        nodes = Nodes(groups=groups, shards=groups, engine=request.param)
        nodes.elect(1)
        nodes.advance(2_000)
        assert [nodes.leader(group) for group in range(1, 4)] == [1, 2, 3]
        return nodes

    return at_rest


def core_of(nodes: Nodes, number: int, group: int) -> Consensus:
    return nodes.roster(number).replicas[GroupId(group)].consensus


def test_an_idle_second_of_many_groups_takes_few_visits(quiet: Quiet) -> None:
    nodes = quiet()
    nodes.visits = 0
    nodes.advance(1_000)
    # Twenty beats to two peers, from each node: a message out, and an answer.
    assert nodes.visits < 200
    assert [nodes.leader(group) for group in range(1, 4)] == [1, 2, 3]


def test_few_groups_say_their_heartbeats_themselves(
    quiet: Quiet, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With the controller there is one more.
    nodes = quiet(groups=TOGETHER_MIN - 2)

    def beat(*_: object) -> set[GroupId]:
        raise AssertionError("too few to say it together")

    monkeypatch.setattr(Chorus, "beat", beat)
    nodes.advance(1_000)


def test_quiet_groups_elect_another_leader_when_theirs_falls_silent(quiet: Quiet) -> None:
    nodes = quiet()
    nodes.part(1)
    nodes.advance(2_000)
    for group in range(1, GROUPS + 1):
        leading = [n for n in (2, 3) if nodes.roster(n).replicas[GroupId(group)].leads]
        assert len(leading) == 1, group


def test_a_leader_of_quiet_groups_that_nobody_hears_steps_down(quiet: Quiet) -> None:
    nodes = quiet()
    nodes.part(1)
    nodes.advance(700)
    assert not any(replica.leads for replica in nodes.roster(1).replicas.values())


def test_a_lost_message_of_heartbeats_changes_nothing(quiet: Quiet) -> None:
    nodes = quiet()
    terms = [core_of(nodes, 1, group).term for group in range(GROUPS + 1)]
    for _ in range(5):
        nodes.cut = {frozenset((1, 2)), frozenset((1, 3))}
        nodes.advance(200)
        nodes.cut = set()
        nodes.advance(200)
    assert [core_of(nodes, 1, group).term for group in range(GROUPS + 1)] == terms


def test_requests_to_quiet_groups_are_answered_at_once(quiet: Quiet) -> None:
    nodes = quiet()
    nodes.submit(2, 1, "found", FoundShards((ShardId(0),), Epoch(1)))
    key = next(
        b"k%d" % n
        for n in range(10_000)
        if nodes.roster(1).atlas.group_of_slot(slot_of(b"k%d" % n)) == 1
    )
    for number in (1, 2, 3):
        nodes.submit(number, 1, f"set {number}", Set(key, b"v"))
        nodes.submit(number, 1, f"get {number}", Get(key))
        assert nodes.nodes[number].told(f"set {number}") == Done((OK,))
        assert nodes.nodes[number].told(f"get {number}") == Done((b"v",))


# A quiet heartbeat does what the messages do.


def test_a_leader_in_the_middle_of_something_does_not_beat_quietly(quiet: Quiet) -> None:
    nodes = quiet()
    core = core_of(nodes, 1, 1)
    due_ms = core.deadline_ms
    assert core.quiet_beat(due_ms - 1) is None, "not due"
    core.read_barrier(7, due_ms)
    assert core.quiet_beat(due_ms) is None, "a read waits for a round of its own"
    nodes = quiet()
    core = core_of(nodes, 1, 1)
    core.propose(b"", core.deadline_ms)
    assert core.quiet_beat(core.deadline_ms) is None, "an entry is on its way"
    nodes = quiet()
    core = core_of(nodes, 1, 1)
    core.transfer_leadership(NodeId(2), core.deadline_ms)
    assert core.quiet_beat(core.deadline_ms) is None, "it hands over"


def test_a_leader_that_lost_its_quorum_does_not_beat_quietly(quiet: Quiet) -> None:
    nodes = quiet()
    core = core_of(nodes, 1, 1)
    is_told = nodes.founding.engine is EngineName.MULTIPAXOS
    now_ms = core.deadline_ms
    beats = 0
    while core.quiet_beat(now_ms) is not None:
        beats += 1
        now_ms = core.deadline_ms
    # One in 50 ms, without an answer: for 600 ms, then the tick that deposes it is left to do; with
    # Multi-Paxos for 300, then it says that it may be replaced.
    assert beats in ({5, 6} if is_told else {11, 12})
    core.tick(now_ms + 300 if is_told else now_ms)
    assert core.leader is None


def test_what_a_follower_does_not_know_yet_takes_the_usual_way(quiet: Quiet) -> None:
    nodes = quiet()
    leader, follower = core_of(nodes, 1, 1), core_of(nodes, 2, 1)
    beat = leader.quiet_beat(leader.deadline_ms)
    assert beat is not None
    now_ms = nodes.mono_ms
    deadline_ms = follower.deadline_ms
    assert not follower.quiet_heard(NodeId(3), beat, now_ms), "another sender"
    older = msgspec.structs.replace(beat, term=beat.term - 1)
    newer = msgspec.structs.replace(beat, commit_index=beat.commit_index + 1)
    assert not follower.quiet_heard(NodeId(1), older, now_ms)
    assert not follower.quiet_heard(NodeId(1), newer, now_ms)
    assert follower.deadline_ms == deadline_ms
    assert follower.quiet_heard(NodeId(1), beat, now_ms + 40)
    assert follower.deadline_ms > deadline_ms


def test_a_quiet_heartbeat_leaves_a_follower_as_the_message_would(quiet: Quiet) -> None:
    nodes = quiet()
    leader, follower = core_of(nodes, 1, 1), core_of(nodes, 2, 1)
    beat = leader.quiet_beat(leader.deadline_ms)
    assert beat is not None
    now_ms = nodes.mono_ms + 60
    assert follower.quiet_heard(NodeId(1), beat, now_ms)
    quietly = (follower.deadline_ms, follower.leader)
    follower.step(NodeId(1), beat, now_ms)
    assert (follower.deadline_ms, follower.leader) == quietly
    ready = follower.ready()
    assert ready is not None
    (reply,) = ready.send
    said = reply.message
    assert leader.quiet_answered(NodeId(2), said.term, said.round, now_ms) is None
    assert isinstance(leader, Door)
    progress = leader.state.peers[NodeId(2)]
    assert (progress.active_ms, progress.acked_round) == (now_ms, beat.round)
    leader.read_barrier(7, now_ms)
    assert leader.ready() is not None
    as_message = leader.quiet_answered(NodeId(2), said.term, said.round, now_ms)
    assert as_message == said, "a read waits for it"


def test_beats_of_groups_that_are_not_here_are_left_alone(quiet: Quiet) -> None:
    nodes = quiet()
    roster = nodes.roster(1)
    roster.heard(NodeId(2), nodes.now.wall_ms)
    beat = core_of(nodes, 2, 2).quiet_beat(nodes.mono_ms + 50)
    assert beat is not None
    roster.step(GroupId(0), NodeId(2), Beats(((GroupId(999), beat),)), nodes.now)
    assert roster.effects(nodes.now) == []
