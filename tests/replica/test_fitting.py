"""Is what no node of ours sends refused, and what an unknown one of ours may send answered?"""

import pytest

from pnyx.consensus.engines import EngineName
from pnyx.consensus.formation import Ask, Propose
from pnyx.consensus.membership import Membership
from pnyx.consensus.multipaxos.messages import Beat, Prepare
from pnyx.consensus.raft.messages import Heartbeat, RequestVote, RequestVoteReply
from pnyx.consensus.ready import Mark
from pnyx.ids import ID_MAX, GroupId, Index, NodeId, Term
from pnyx.machine.commands import Set
from pnyx.machine.results import OK
from pnyx.replica.fitting import TERM_BELOW, TERM_LEAP_MAX, Unfit
from pnyx.replica.messages import Beats, SnapshotChunk
from pnyx.replica.requests import Done
from replica.rosters import Nodes
from replica.test_roster import founded, key_of

STRANGER = 9


def hear(nodes: Nodes, number: int, group: int, sender: int, message: object) -> None:
    roster = nodes.roster(number)
    roster.heard(NodeId(sender), nodes.now.wall_ms)
    roster.step(GroupId(group), NodeId(sender), message, nodes.now)


def lead(engine: EngineName, term: int) -> Heartbeat | Prepare:
    """What makes whoever hears it adopt `term`."""
    zero = Index(0)
    if engine is EngineName.RAFT:
        return Heartbeat(Term(term), 1, zero, Term(0))
    return Prepare(Term(term), Term(0), zero, zero, zero)


@pytest.mark.parametrize("engine", list(EngineName))
@pytest.mark.parametrize("group", [0, 1])
def test_a_message_that_does_not_fit_its_group_is_refused_and_steps_nothing(
    engine: EngineName, group: int
) -> None:
    nodes = founded(engine=engine)
    beat = Beat(Term(9), 1, happy=True, leads=True, commit_index=Index(0), commit_term=Term(0))
    foreign = beat if engine is EngineName.RAFT else Heartbeat(Term(9), 1, Index(0), Term(0))
    term = nodes.roster(2).replicas[GroupId(group)].consensus.term
    for message in (foreign, Ask(), Propose(()), Beats(((GroupId(group), foreign),))):
        with pytest.raises(Unfit):
            hear(nodes, 2, group, STRANGER, message)
    assert nodes.roster(2).replicas[GroupId(group)].consensus.term == term


def test_a_formation_s_message_to_a_group_that_is_not_here_is_refused() -> None:
    with pytest.raises(Unfit):
        hear(founded(), 2, 77, STRANGER, Ask())


def test_a_candidate_that_is_not_known_here_yet_is_answered() -> None:
    nodes = founded()
    hear(nodes, 2, 1, STRANGER, RequestVote(Term(7), Index(99), Term(6), transfer=True))
    sent = [
        each for _, turn in nodes.roster(2).effects(nodes.now) for each in turn.send_when_durable
    ]
    assert [each.message for _, each in sent] == [RequestVoteReply(Term(7), granted=True)]


@pytest.mark.parametrize("engine", list(EngineName))
def test_whatever_term_a_stranger_brings_leaders_are_elected_after_it(engine: EngineName) -> None:
    nodes = founded(engine=engine)
    for number in range(1, 4):
        for term in (ID_MAX, TERM_BELOW):
            mark = Mark(Index(99), Term(term))
            chunk = SnapshotChunk(1, mark, Membership(()), 0, (), last=True, checksum=0)
            for message in (lead(engine, term), chunk):
                with pytest.raises(Unfit):
                    hear(nodes, number, 1, STRANGER, message)
    hear(nodes, 2, 1, STRANGER, lead(engine, TERM_BELOW - 1))
    nodes.settle()
    nodes.elect(1, 1)
    nodes.advance(3_000)
    leader = nodes.roster(nodes.leader(1)).replicas[GroupId(1)]
    assert leader.consensus.term >= TERM_BELOW
    nodes.submit(1, 1, "set", Set(key_of(nodes, 1), b"1"))
    assert nodes.nodes[1].told("set") == Done((OK,))


def test_one_message_in_a_members_name_does_not_use_up_the_terms() -> None:
    nodes = founded()
    with pytest.raises(Unfit):
        hear(nodes, 2, 1, 3, lead(EngineName.RAFT, ID_MAX))
    hear(nodes, 2, 1, 3, lead(EngineName.RAFT, TERM_BELOW + TERM_LEAP_MAX))
    hear(nodes, 2, 1, 3, lead(EngineName.RAFT, TERM_BELOW + 2 * TERM_LEAP_MAX))
