"""Do members change as asked, and does the one who asked hear about it once?"""

from typing import Any

import pytest

from pnyx.consensus.member.messages import TimeoutNow
from pnyx.consensus.membership import Membership
from pnyx.consensus.raft.messages import AppendEntries
from pnyx.ids import Index, NodeId
from pnyx.machine.commands import Get, Set
from pnyx.replica.changes import Add, AddLearner, Promote, Remove, next_step, swapped
from pnyx.replica.messages import Retired
from pnyx.replica.requests import Done, Elsewhere, NotDone, Reason, Unknown
from replica.cluster import Cluster
from replica.growing import DONE, SMALL, grown, membership, nodes, of

# Operators.


def test_a_node_is_added_as_a_voter_in_one_change() -> None:
    cluster = grown()
    cluster.change(1, Add("n4", NodeId(4)), "add")
    assert cluster.answers(1).get("add") is None, "it has to catch up first"
    cluster.advance(1_000)
    assert cluster.answers(1)["add"] == DONE
    assert membership(cluster, 4).voters == nodes(1, 2, 3, 4)
    assert dict(membership(cluster, 4).names)["n4"] == 4
    cluster.submit(4, "read", Get(b"a"))
    cluster.settle()
    assert cluster.answers(4) == {"read": Done((b"1",))}


def test_a_learner_receives_and_is_not_promoted_by_itself() -> None:
    cluster = grown()
    cluster.change(1, AddLearner("n4", NodeId(4)), "learn")
    assert cluster.answers(1)["learn"] == DONE
    cluster.advance(5_000)
    assert membership(cluster, 4).learners == nodes(4)
    assert of(cluster, 4).group.applied == of(cluster, 1).group.applied


def test_a_node_that_needs_a_snapshot_is_added() -> None:
    cluster = Cluster(3, SMALL)
    cluster.elect(1)
    for key in range(60):
        cluster.submit(1, key, Set(b"key%d" % key, b"value" * 5))
        cluster.settle()
    assert of(cluster, 1).consensus.compacted.index > 1
    cluster.add(4)
    cluster.change(1, Add("n4", NodeId(4)), "add")
    cluster.advance(3_000)
    assert cluster.answers(1)["add"] == DONE
    assert of(cluster, 4).counters.snapshots_installed == 1
    assert membership(cluster, 4) == membership(cluster, 1)


def test_promotion_waits_until_the_learner_has_caught_up() -> None:
    cluster = grown()
    cluster.change(1, AddLearner("n4", NodeId(4)), "learn")
    cluster.isolate(4)
    cluster.submit(1, "more", Set(b"b", b"2"))
    cluster.settle()
    cluster.change(1, Promote(NodeId(4)), "promote")
    cluster.advance(5_000)
    assert "promote" not in cluster.answers(1)
    assert membership(cluster).voters == nodes(1, 2, 3)
    cluster.cut.clear()
    cluster.advance(2_000)
    assert cluster.answers(1)["promote"] == DONE


def test_a_dead_learner_in_a_quiet_group_is_not_taken_for_caught_up() -> None:
    cluster = grown()
    cluster.change(1, AddLearner("n4", NodeId(4)), "learn")
    cluster.advance(1_000)
    cluster.crash(4)
    cluster.advance(1_000)
    cluster.change(1, Promote(NodeId(4)), "promote")
    cluster.advance(59_000)
    assert "promote" not in cluster.answers(1)
    cluster.advance(1_500)
    assert cluster.answers(1)["promote"] == NotDone(Reason.NOT_CAUGHT_UP)
    assert membership(cluster).learners == nodes(4), "it may come back"


def test_a_voter_is_removed_and_its_node_learns_why() -> None:
    cluster = Cluster(3)
    cluster.elect(1)
    cluster.change(1, Remove(NodeId(3)), "remove")
    cluster.advance(100)
    assert cluster.answers(1)["remove"] == DONE
    assert membership(cluster).voters == nodes(1, 2)
    assert membership(cluster).retired == nodes(3)
    assert of(cluster, 3).retired == "this node, 3 (n3), was removed from its group"
    assert [of(cluster, number).retired for number in (1, 2)] == ["", ""]


@pytest.mark.parametrize(("sender", "names"), [(9, (("n3", NodeId(9)),)), (2, ())])
def test_nobody_retires_a_node_but_a_member_that_says_who_is_left(
    sender: int, names: tuple[tuple[str, NodeId], ...]
) -> None:
    cluster = Cluster(3)
    cluster.elect(1)
    of(cluster, 3).step(NodeId(sender), Retired(names), cluster.now(3))
    cluster.advance(50)
    assert of(cluster, 3).retired == ""


def test_the_leader_is_removed_after_it_has_handed_over() -> None:
    cluster = Cluster(3)
    cluster.elect(1)
    cluster.change(1, Remove(NodeId(1)), "remove")
    cluster.advance(50)
    assert cluster.answers(1)["remove"] == DONE
    assert cluster.leader in (2, 3)
    assert not of(cluster, 1).leads
    assert "was removed" in of(cluster, 1).retired


def test_a_removed_leader_is_followed_until_it_has_handed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster(3)
    cluster.elect(1)
    held: list[tuple[int, Any]] = []
    for number in (2, 3):
        step = of(cluster, number).step

        def late(sender: NodeId, message: Any, now: Any, to: int = number, on: Any = step) -> None:
            if isinstance(message, TimeoutNow):
                held.append((to, message))
            else:
                on(sender, message, now)

        monkeypatch.setattr(of(cluster, number), "step", late)
    cluster.change(1, Remove(NodeId(1)), "remove")
    monkeypatch.undo()
    ((to, message),) = held
    assert membership(cluster, to).retired == nodes(1), "it knows of the removal already"
    of(cluster, to).step(NodeId(1), message, cluster.now(to))
    cluster.settle()
    assert cluster.leader == to


def test_a_voter_is_drained_by_handing_over_and_removing_it() -> None:
    cluster = grown()
    cluster.change(1, Add("n4", NodeId(4)), "add")
    cluster.advance(1_000)
    assert of(cluster, 1).transfer_leadership(NodeId(2), cluster.now(1))
    cluster.settle()
    assert cluster.leader == 2
    cluster.change(2, Remove(NodeId(1)), "remove")
    cluster.advance(100)
    assert cluster.answers(2)["remove"] == DONE
    assert membership(cluster, 2).voters == nodes(2, 3, 4)


def test_a_label_is_free_again_after_its_node_was_removed() -> None:
    cluster = grown()
    cluster.change(1, Remove(NodeId(3)), "remove")
    cluster.change(1, Add("n3", NodeId(4)), "add")
    cluster.advance(1_000)
    assert cluster.answers(1)["add"] == DONE
    assert dict(membership(cluster).names)["n3"] == 4


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (Add("n2", NodeId(4)), Reason.TAKEN),
        (AddLearner("n9", NodeId(2)), Reason.TAKEN),
        (Promote(NodeId(4)), Reason.NOT_MEMBER),
        (Remove(NodeId(9)), Reason.NOT_MEMBER),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_reason(change: Any, reason: Reason) -> None:
    cluster = grown()
    cluster.change(1, change, "it")
    assert cluster.answers(1)["it"] == NotDone(reason)
    assert membership(cluster) == cluster.formed


def test_the_last_voter_is_not_removed() -> None:
    cluster = Cluster(1)
    cluster.elect(1)
    cluster.change(1, Remove(NodeId(1)), "it")
    assert cluster.answers(1)["it"] == NotDone(Reason.LAST_VOTER)


def test_a_retired_node_is_not_added_again() -> None:
    cluster = Cluster(3)
    cluster.elect(1)
    cluster.change(1, Remove(NodeId(3)), "remove")
    cluster.change(1, Add("n3", NodeId(3)), "again")
    assert cluster.answers(1)["again"] == NotDone(Reason.RETIRED)


def test_who_does_not_lead_says_who_does() -> None:
    cluster = grown()
    cluster.change(2, Remove(NodeId(3)), "it")
    assert cluster.answers(2) == {"it": Elsewhere(NodeId(1))}


def test_without_a_leader_nothing_is_changed() -> None:
    cluster = Cluster(3)
    cluster.change(2, Remove(NodeId(3)), "it")
    assert cluster.answers(2) == {"it": NotDone(Reason.NO_QUORUM)}


def test_a_second_change_is_refused_while_one_is_under_way() -> None:
    cluster = grown()
    cluster.change(1, Add("n4", NodeId(4)), "first")
    cluster.change(1, Remove(NodeId(3)), "second")
    assert cluster.answers(1)["second"] == NotDone(Reason.CHANGING)
    cluster.advance(1_000)
    assert cluster.answers(1)["first"] == DONE


def test_what_is_done_already_is_done() -> None:
    cluster = grown()
    for change in (Add("n4", NodeId(4)), Promote(NodeId(4)), Remove(NodeId(4))):
        for ticket in ("once", "twice"):
            cluster.change(1, change, (change, ticket))
            cluster.advance(1_000)
            assert cluster.answers(1)[(change, ticket)] == DONE


def test_a_change_whose_quorum_is_gone_is_unknown() -> None:
    cluster = Cluster(3)
    cluster.elect(1)
    cluster.isolate(1)
    cluster.change(1, Remove(NodeId(3)), "it")
    cluster.advance(4_000)
    assert cluster.answers(1) == {"it": Unknown()}


def test_a_change_that_another_leader_s_entry_replaced_is_not_done() -> None:
    cluster = Cluster(3)
    cluster.elect(1)
    cluster.isolate(1)
    cluster.change(1, Remove(NodeId(3)), "it")
    cluster.await_leader(but=1)
    cluster.cut.clear()
    cluster.advance(1_000)
    assert cluster.answers(1) == {"it": NotDone(Reason.NO_QUORUM)}
    assert membership(cluster, 1) == cluster.formed


def test_a_promotion_that_waits_is_not_done_when_leadership_is_lost() -> None:
    cluster = grown()
    cluster.change(1, AddLearner("n4", NodeId(4)), "learn")
    cluster.crash(4)
    cluster.change(1, Promote(NodeId(4)), "promote")
    of(cluster, 1).transfer_leadership(NodeId(2), cluster.now(1))
    cluster.settle()
    assert cluster.answers(1)["promote"] == NotDone(Reason.NO_QUORUM)


def test_a_change_is_done_although_another_leader_ended_it() -> None:
    cluster = Cluster(3)
    cluster.elect(1)
    of(cluster, 1).change_members(Remove(NodeId(3)), "it", cluster.now(1))
    assert of(cluster, 1).transfer_leadership(NodeId(2), cluster.now(1))
    cluster.advance(200)
    assert cluster.leader == 2
    assert cluster.answers(1) == {"it": DONE}


def test_a_replica_that_stops_answers_for_its_change() -> None:
    cluster = grown()
    cluster.change(1, Add("n4", NodeId(4)), "it")
    of(cluster, 1).stop()
    cluster.settle()
    assert cluster.answers(1)["it"] == NotDone(Reason.STOPPING)


def test_nothing_is_called_done_before_it_is_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = grown()
    cluster.cut = {(2, 1), (1, 3), (3, 1)}
    cluster.change(1, AddLearner("n4", NodeId(4)), "learn")
    cluster.crash(1)
    step = of(cluster, 3).step

    def forgetful(sender: NodeId, message: Any, now: Any) -> None:
        if not isinstance(message, AppendEntries):
            step(sender, message, now)

    monkeypatch.setattr(of(cluster, 3), "step", forgetful)
    assert cluster.await_leader(but=1) == 2
    assert of(cluster, 2).consensus.membership.learners == nodes(4)
    cluster.change(2, AddLearner("n4", NodeId(4)), "again")
    assert cluster.answers(2) == {}
    monkeypatch.undo()
    cluster.advance(200)
    assert cluster.answers(2) == {"again": DONE}


# The rules as functions.


def test_a_swap_is_one_joint_change_of_the_same_size() -> None:
    names = (("n1", NodeId(1)), ("n2", NodeId(2)))
    present = Membership(nodes(1, 2), learners=nodes(9), names=names)
    after = swapped(present, "n2", NodeId(9))
    assert after == Membership(
        nodes(1, 9), names=(("n1", NodeId(1)), ("n2", NodeId(9))), retired=nodes(2)
    )


def test_a_learner_s_place_is_taken_as_a_learner() -> None:
    present = Membership(nodes(1), learners=nodes(2, 9), names=(("n2", NodeId(2)),))
    after = swapped(present, "n2", NodeId(9))
    assert (after.voters, after.learners) == (nodes(1), nodes(9))


def test_only_the_newest_of_the_retired_are_remembered() -> None:
    many = tuple(NodeId(number) for number in range(1000, 1256))
    after = next_step(Membership(nodes(1, 2), retired=many), Remove(NodeId(2)))
    assert isinstance(after, Membership)
    assert (len(after.retired), after.retired[-1]) == (256, 2)


def test_a_removed_node_s_entries_are_not_waited_for_by_compaction() -> None:
    cluster = Cluster(3, SMALL)
    cluster.elect(1)
    cluster.crash(3)
    cluster.change(1, Remove(NodeId(3)), "remove")
    cluster.advance(1_000)
    for key in range(60):
        cluster.submit(1, key, Set(b"key%d" % key, b"value" * 5))
        cluster.settle()
    assert of(cluster, 1).consensus.compacted.index > Index(10)
