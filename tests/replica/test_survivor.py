"""One survivor of a lost majority goes on alone, and nobody of before goes on beside it."""

from pnyx.consensus.membership import Membership
from pnyx.consensus.raft.raft import Raft
from pnyx.consensus.ready import HardState, Mark
from pnyx.ids import Index, NodeId, Term
from pnyx.machine.commands import Get, Set
from pnyx.replica.changes import Add
from pnyx.replica.requests import Done, NotDone, Reason
from pnyx.replica.survivor import TERMS_SKIPPED, alone, newest_membership
from replica.cluster import Cluster
from replica.growing import DONE, membership, nodes, of


def go_on_alone(cluster: Cluster, number: int) -> None:
    """Do to a crashed member's disk what `pnyx node recover` does to a directory."""
    raft = of(cluster, number).consensus
    assert isinstance(raft, Raft)
    state = raft._state
    log = state.log
    _, write = alone(
        NodeId(number),
        f"n{number}",
        log.membership,
        log.mark_at(log.last_index),
        HardState(state.term, state.voted_for),
    )
    log.extend(write.entries)
    assert write.hard_state is not None
    state.term, state.voted_for = write.hard_state.term, write.hard_state.voted_for


FIVE = Membership(nodes(1, 2, 3, 4, 5), names=tuple((f"n{n}", NodeId(n)) for n in range(1, 6)))


def test_everybody_else_is_retired_in_the_same_entry() -> None:
    membership, write = alone(NodeId(4), "n4", FIVE, Mark(Index(9), Term(3)), HardState(Term(5)))
    assert membership.voters == nodes(4)
    assert membership.retired == nodes(1, 2, 3, 5)
    assert membership.names == (("n4", 4),)
    assert write.hard_state == HardState(Term(5 + TERMS_SKIPPED))
    (entry,) = write.entries
    assert (entry.index, entry.term) == (10, 5 + TERMS_SKIPPED)
    assert newest_membership(FIVE, Mark(Index(9), Term(3)), [entry]) == membership


def test_a_joint_membership_and_unnamed_learners_are_left_behind_too() -> None:
    present = Membership(
        nodes(1, 2, 4), nodes(1, 2, 3), nodes(6), FIVE.names[:4], retired=nodes(9, 4)
    )
    membership, _ = alone(NodeId(4), "n4", present, Mark(), HardState())
    assert membership == Membership(
        nodes(4), names=(("n4", NodeId(4)),), retired=nodes(9, 1, 2, 3, 6)
    )


def test_a_survivor_serves_what_it_holds_and_the_lost_ones_are_told_to_stop() -> None:
    cluster = Cluster(5)
    cluster.elect(1)
    cluster.submit(1, "write", Set(b"a", b"1"))
    cluster.settle()
    cluster.advance(1_000)
    for number in (1, 2, 3):
        cluster.crash(number)
    cluster.advance(2_000)
    cluster.submit(4, "refused", Set(b"a", b"2"))
    cluster.advance(5_000)
    assert cluster.answers(4)["refused"] == NotDone(Reason.NO_QUORUM)
    for number in (4, 5):
        cluster.crash(number)
    go_on_alone(cluster, 4)
    cluster.restart(4)
    cluster.advance(2_000)
    assert cluster.leader == 4
    cluster.submit(4, "read", Get(b"a"))
    cluster.settle()
    assert cluster.answers(4)["read"] == Done((b"1",))
    for number in (1, 2, 3, 5):
        cluster.restart(number)
    # Who talks to the survivor is told, and its process stops; the next one has to stand then.
    for _ in range(30):
        cluster.advance(300)
        for number in (1, 2, 3, 5):
            if number in cluster.running and of(cluster, number).retired:
                assert "was removed" in of(cluster, number).retired
                cluster.crash(number)
    assert list(cluster.running) == [4]
    assert cluster.leader == 4


def test_wiped_nodes_join_the_survivor_under_their_old_labels() -> None:
    cluster = Cluster(3)
    cluster.elect(1)
    cluster.submit(1, "write", Set(b"a", b"1"))
    cluster.settle()
    cluster.advance(1_000)
    for number in (1, 2, 3):
        cluster.crash(number)
    go_on_alone(cluster, 3)
    cluster.restart(3)
    cluster.advance(2_000)
    cluster.add(4, joins="n1")
    cluster.advance(2_000)
    assert membership(cluster, 3).voters == nodes(3), "an operator gives the label away"
    cluster.change(3, Add("n1", NodeId(4)), "add")
    cluster.advance(3_000)
    assert cluster.answers(3)["add"] == DONE
    assert membership(cluster, 4).voters == nodes(3, 4)
    cluster.submit(4, "read", Get(b"a"))
    cluster.settle()
    assert cluster.answers(4)["read"] == Done((b"1",))
