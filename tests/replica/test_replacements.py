"""Is a node whose disk is gone replaced, only if it must be, and does the old one learn of it?"""

from pnyx.ids import NodeId
from pnyx.machine.commands import Set
from pnyx.replica.changes import Add, AddLearner, Remove
from pnyx.replica.messages import Join, Retired
from replica.cluster import Cluster
from replica.growing import DONE, SMALL, grown, membership, nodes, of, wiped

# A wiped node, under a new id.


def test_a_wiped_node_replaces_the_one_it_was() -> None:
    cluster = wiped(3)
    cluster.advance(2_000)
    assert membership(cluster).learners == nodes(4)
    assert membership(cluster).voters == nodes(1, 2, 3), "silent, but not for long"
    cluster.advance(35_000)
    after = membership(cluster, 4)
    assert (after.voters, after.learners, after.outgoing) == (nodes(1, 2, 4), (), ())
    assert dict(after.names) == {"n1": 1, "n2": 2, "n3": 4}
    assert after.retired == nodes(3)
    assert of(cluster, 4).group.applied == of(cluster, 1).group.applied


def test_a_wiped_node_that_needs_a_snapshot_replaces_the_one_it_was() -> None:
    cluster = wiped(3, SMALL)
    assert of(cluster, 1).consensus.compacted.index > 1
    cluster.advance(36_000)
    assert of(cluster, 4).counters.snapshots_installed == 1
    assert membership(cluster, 4).voters == nodes(1, 2, 4)


def test_e9_a_node_without_its_disk_never_votes_under_its_old_id() -> None:
    cluster = wiped(2)
    cluster.advance(5_000)
    cluster.crash(1)
    cluster.advance(5_000)
    assert not of(cluster, 3).leads, "the wiped one is no voter: there is no majority"
    assert not of(cluster, 4).leads


def test_nobody_is_replaced_who_is_heard() -> None:
    cluster = Cluster(3)
    cluster.elect(1)
    cluster.add(4, joins="n3")
    cluster.advance(60_000)
    assert membership(cluster).voters == nodes(1, 2, 3)
    assert membership(cluster).learners == nodes(4)


def test_nobody_is_replaced_by_a_node_that_has_not_caught_up() -> None:
    cluster = wiped(3)
    cluster.advance(2_000)
    assert membership(cluster).learners == nodes(4)
    cluster.cut = {(1, 4)}
    cluster.submit(1, "more", Set(b"b", b"2"))
    cluster.advance(40_000)
    assert membership(cluster).voters == nodes(1, 2, 3)
    cluster.cut.clear()
    cluster.advance(3_000)
    assert membership(cluster).voters == nodes(1, 2, 4)


def test_the_silence_counts_from_when_it_began() -> None:
    cluster = Cluster(3)
    cluster.elect(1)
    cluster.add(4, joins="n3")
    cluster.advance(40_000)
    cluster.crash(3)
    cluster.advance(29_000)
    assert membership(cluster).voters == nodes(1, 2, 3)
    cluster.advance(3_000)
    assert membership(cluster).voters == nodes(1, 2, 4)


def test_a_new_leader_waits_for_its_own_silence() -> None:
    cluster = wiped(3)
    cluster.advance(20_000)
    of(cluster, 1).transfer_leadership(NodeId(2), cluster.now(1))
    cluster.advance(20_000)
    assert membership(cluster).voters == nodes(1, 2, 3)
    cluster.advance(15_000)
    assert membership(cluster, 2).voters == nodes(1, 2, 4)


def test_the_leader_s_own_label_is_not_taken_from_it() -> None:
    cluster = Cluster(3)
    cluster.elect(1)
    cluster.add(4, joins="n1")
    cluster.advance(40_000)
    assert membership(cluster).voters == nodes(1, 2, 3)


def test_a_newcomer_under_a_label_that_nobody_holds_waits_for_an_operator() -> None:
    cluster = Cluster(3)
    cluster.elect(1)
    cluster.add(4, joins="n4")
    cluster.advance(5_000)
    assert membership(cluster) == cluster.formed
    assert of(cluster, 4).retired == ""
    cluster.change(1, Add("n4", NodeId(4)), "add")
    cluster.advance(1_000)
    assert cluster.answers(1)["add"] == DONE


def test_a_newcomer_that_crashes_while_it_waits_goes_on_where_it_was() -> None:
    cluster = wiped(3)
    cluster.advance(10_000)
    cluster.crash(4)
    cluster.advance(2_000)
    cluster.restart(4, joins="n3")
    cluster.advance(25_000)
    assert membership(cluster, 4).voters == nodes(1, 2, 4)


def test_who_is_a_voter_asks_no_more_even_after_a_restart() -> None:
    cluster = wiped(3)
    cluster.advance(36_000)
    cluster.crash(4)
    cluster.restart(4, joins="n3")
    cluster.advance(3_000)
    cluster.isolate(4)
    cluster.dropped.clear()
    cluster.advance(3_000)
    assert not any(isinstance(one.message, Join) for _, one in cluster.dropped)
    assert membership(cluster).voters == nodes(1, 2, 4)


def test_newcomers_that_vanished_are_forgotten_when_another_comes() -> None:
    cluster = Cluster(3)
    cluster.elect(1)
    cluster.add(4, joins="n3")
    cluster.advance(2_000)
    cluster.crash(4)
    cluster.advance(31_000)
    cluster.add(5, joins="n3")
    cluster.advance(2_000)
    assert membership(cluster).learners == nodes(5)
    assert membership(cluster).retired == (), "it may ask again"
    cluster.restart(4, joins="n3")
    cluster.advance(2_000)
    assert membership(cluster).learners == nodes(4, 5)


def test_two_wiped_nodes_are_replaced_one_after_the_other() -> None:
    cluster = Cluster(5)
    cluster.elect(1)
    for old, new in ((4, 6), (5, 7)):
        cluster.crash(old)
        cluster.add(new, joins=f"n{old}")
    cluster.advance(40_000)
    assert membership(cluster).voters == nodes(1, 2, 3, 6, 7)
    assert set(membership(cluster).retired) == {4, 5}


# Who is retired.


def replaced_and_back() -> Cluster:
    """3 was replaced by 4 while it was away, and is back with its disk."""
    cluster = wiped(3)
    cluster.advance(36_000)
    assert membership(cluster).voters == nodes(1, 2, 4)
    cluster.restart(3)
    return cluster


def test_a_replaced_node_that_comes_back_is_told_who_took_its_place() -> None:
    cluster = replaced_and_back()
    cluster.advance(2_000)
    assert of(cluster, 3).retired == "n3 is node 4 now: this node, 3, was replaced"
    assert all(of(cluster, number).retired == "" for number in (1, 2, 4))
    assert cluster.leader == 1, "it disturbed nobody"


def test_any_member_tells_a_retired_node_after_restarts_too() -> None:
    cluster = replaced_and_back()
    cluster.crash(2)
    cluster.restart(2)
    cluster.crash(1)
    cluster.crash(4)
    cluster.advance(2_000)
    assert "was replaced" in of(cluster, 3).retired


def test_a_member_that_learned_of_it_by_snapshot_tells_a_retired_node() -> None:
    cluster = Cluster(5, SMALL)
    cluster.elect(1)
    cluster.isolate(5)
    cluster.crash(3)
    cluster.change(1, Remove(NodeId(3)), "remove")
    for key in range(60):
        if key in {20, 40}:
            # Long enough for the leader to know that the fifth is gone, not catching up.
            cluster.advance(11_000)
        cluster.submit(1, key, Set(b"key%d" % key, b"value" * 5))
        cluster.settle()
    cluster.cut.clear()
    cluster.advance(2_000)
    assert of(cluster, 5).counters.snapshots_installed == 1
    for number in (1, 2, 4):
        cluster.crash(number)
    cluster.restart(3)
    cluster.advance(2_000)
    assert "was removed" in of(cluster, 3).retired


def test_what_a_retired_node_says_is_dropped() -> None:
    cluster = replaced_and_back()
    term = of(cluster, 1).consensus.term
    of(cluster, 3).consensus.campaign(cluster.mono_ms)
    cluster.settle()
    assert of(cluster, 1).consensus.term == term
    assert "was replaced" in of(cluster, 3).retired


def test_a_newcomer_is_not_told_that_it_is_retired() -> None:
    """A member that lags knows neither that it was added nor that it was promoted."""
    cluster = grown()
    cluster.isolate(3)
    cluster.change(1, Add("n4", NodeId(4)), "add")
    cluster.advance(1_000)
    assert membership(cluster, 3) == cluster.formed
    cluster.cut.clear()
    cluster.crash(1)
    cluster.crash(2)
    cluster.advance(3_000)
    assert of(cluster, 4).retired == ""


def test_a_learner_that_was_removed_is_told() -> None:
    cluster = grown()
    cluster.change(1, AddLearner("n4", NodeId(4)), "learn")
    cluster.change(1, Remove(NodeId(4)), "remove")
    cluster.advance(200)
    assert cluster.answers(1)["remove"] == DONE
    assert of(cluster, 4).retired == "this node, 4 (n4), was removed from its group"


def test_retirement_is_known_at_the_next_start() -> None:
    cluster = Cluster(3)
    cluster.elect(1)
    cluster.change(1, Remove(NodeId(3)), "remove")
    cluster.advance(100)
    cluster.crash(3)
    cluster.restart(3)
    assert "was removed" in of(cluster, 3).retired


def test_being_told_twice_or_about_each_other_ends() -> None:
    cluster = replaced_and_back()
    cluster.advance(2_000)
    cluster.isolate(3)
    cluster.dropped.clear()
    of(cluster, 1).step(NodeId(3), Retired(()), cluster.now(1))
    cluster.settle()
    assert of(cluster, 1).retired == "", "a retired node retires nobody"
    assert not any(isinstance(one.message, Retired) for _, one in cluster.dropped)
