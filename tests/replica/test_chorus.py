"""Many quiet groups beat together, and nothing else about them changes."""

import pytest

from pnyx.consensus.raft.messages import Heartbeat
from pnyx.consensus.raft.raft import Raft
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


def quiet(groups: int = GROUPS) -> Nodes:
    """Three nodes, each with a third of the groups to lead, all of them at rest."""
    nodes = Nodes(groups=groups, shards=groups)
    nodes.elect(1)
    nodes.advance(2_000)
    assert [nodes.leader(group) for group in range(1, 4)] == [1, 2, 3]
    return nodes


def raft_of(nodes: Nodes, number: int, group: int) -> Raft:
    consensus = nodes.roster(number).replicas[GroupId(group)].consensus
    assert isinstance(consensus, Raft)
    return consensus


def test_an_idle_second_of_many_groups_takes_few_visits() -> None:
    nodes = quiet()
    nodes.visits = 0
    nodes.advance(1_000)
    # Twenty beats to two peers, from each node: a message out, and an answer.
    assert nodes.visits < 200
    assert [nodes.leader(group) for group in range(1, 4)] == [1, 2, 3]


def test_few_groups_say_their_heartbeats_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = quiet(groups=TOGETHER_MIN - 1)

    def beat(*_: object) -> set[GroupId]:
        raise AssertionError("too few to say it together")

    monkeypatch.setattr(Chorus, "beat", beat)
    nodes.advance(1_000)


def test_quiet_groups_elect_another_leader_when_theirs_falls_silent() -> None:
    nodes = quiet()
    nodes.part(1)
    nodes.advance(2_000)
    for group in range(1, GROUPS + 1):
        leading = [n for n in (2, 3) if nodes.roster(n).replicas[GroupId(group)].leads]
        assert len(leading) == 1, group


def test_a_leader_of_quiet_groups_that_nobody_hears_steps_down() -> None:
    nodes = quiet()
    nodes.part(1)
    nodes.advance(700)
    assert not any(replica.leads for replica in nodes.roster(1).replicas.values())


def test_a_lost_message_of_heartbeats_changes_nothing() -> None:
    nodes = quiet()
    terms = [raft_of(nodes, 1, group).term for group in range(GROUPS + 1)]
    for _ in range(5):
        nodes.cut = {frozenset((1, 2)), frozenset((1, 3))}
        nodes.advance(200)
        nodes.cut = set()
        nodes.advance(200)
    assert [raft_of(nodes, 1, group).term for group in range(GROUPS + 1)] == terms


def test_requests_to_quiet_groups_are_answered_at_once() -> None:
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


def test_a_leader_in_the_middle_of_something_does_not_beat_quietly() -> None:
    nodes = quiet()
    raft = raft_of(nodes, 1, 1)
    due_ms = raft.deadline_ms
    assert raft.quiet_beat(due_ms - 1) is None, "not due"
    raft.read_barrier(7, due_ms)
    assert raft.quiet_beat(due_ms) is None, "a read waits for a round of its own"
    nodes = quiet()
    raft = raft_of(nodes, 1, 1)
    raft.propose(b"", raft.deadline_ms)
    assert raft.quiet_beat(raft.deadline_ms) is None, "an entry is on its way"
    nodes = quiet()
    raft = raft_of(nodes, 1, 1)
    raft.transfer_leadership(NodeId(2), raft.deadline_ms)
    assert raft.quiet_beat(raft.deadline_ms) is None, "it hands over"


def test_a_leader_that_lost_its_quorum_does_not_beat_quietly() -> None:
    nodes = quiet()
    raft = raft_of(nodes, 1, 1)
    now_ms = raft.deadline_ms
    beats = 0
    while raft.quiet_beat(now_ms) is not None:
        beats += 1
        now_ms = raft.deadline_ms
    # 600 ms without an answer, at 50 ms each: then the tick that deposes it is left to do.
    assert beats in {11, 12}
    raft.tick(now_ms)
    assert raft.leader is None


def test_what_a_follower_does_not_know_yet_takes_the_usual_way() -> None:
    nodes = quiet()
    leader, follower = raft_of(nodes, 1, 1), raft_of(nodes, 2, 1)
    beat = leader.quiet_beat(leader.deadline_ms)
    assert beat is not None
    now_ms = nodes.mono_ms
    deadline_ms = follower.deadline_ms
    assert not follower.quiet_heard(NodeId(3), beat, now_ms), "another sender"
    older = Heartbeat(beat.term - 1, 1, beat.commit_index, beat.commit_term)  # type: ignore[arg-type]
    newer = Heartbeat(beat.term, 1, beat.commit_index + 1, beat.commit_term)  # type: ignore[arg-type]
    assert not follower.quiet_heard(NodeId(1), older, now_ms)
    assert not follower.quiet_heard(NodeId(1), newer, now_ms)
    assert follower.deadline_ms == deadline_ms
    assert follower.quiet_heard(NodeId(1), beat, now_ms + 40)
    assert follower.deadline_ms > deadline_ms


def test_a_quiet_heartbeat_leaves_a_follower_as_the_message_would() -> None:
    nodes = quiet()
    leader, follower = raft_of(nodes, 1, 1), raft_of(nodes, 2, 1)
    beat = leader.quiet_beat(leader.deadline_ms)
    assert beat is not None
    now_ms = nodes.mono_ms + 60
    assert follower.quiet_heard(NodeId(1), beat, now_ms)
    quietly = (follower.state.heard_ms, follower.deadline_ms, follower.leader)
    follower.step(NodeId(1), beat, now_ms)
    assert (follower.state.heard_ms, follower.deadline_ms, follower.leader) == quietly
    ready = follower.ready()
    assert ready is not None
    (reply,) = ready.send
    assert leader.quiet_answered(NodeId(2), reply.message.term, reply.message.round, now_ms)
    progress = leader.state.peers[NodeId(2)]
    assert (progress.active_ms, progress.acked_round) == (now_ms, beat.round)


def test_beats_of_groups_that_are_not_here_are_left_alone() -> None:
    nodes = quiet()
    roster = nodes.roster(1)
    roster.heard(NodeId(2), nodes.now.wall_ms)
    beat = raft_of(nodes, 2, 2).quiet_beat(nodes.mono_ms + 50)
    assert beat is not None
    roster.step(GroupId(0), NodeId(2), Beats(((GroupId(999), beat),)), nodes.now)
    assert roster.effects(nodes.now) == []
