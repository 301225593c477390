"""Does a cluster form once, with one map, or not at all?"""

from collections.abc import Iterable

from pnyx.consensus.formation import Ask, Formation, FormationMessage, Formed, Propose, Report
from pnyx.ids import NodeId

LABELS = ("n1", "n2", "n3")
FORMED = (("n1", NodeId(11)), ("n2", NodeId(12)), ("n3", NodeId(13)))


class Nodes:
    """Formations wired together; a record is durable as soon as it is asked for."""

    def __init__(self, ids: Iterable[int] = (11, 12, 13)) -> None:
        self.by_id = {
            NodeId(node): Formation(label, NodeId(node), LABELS)
            for label, node in zip(LABELS, ids, strict=True)
        }
        self.down: set[NodeId] = set()

    def connect(self) -> None:
        for a in self.by_id.values():
            for b in self.by_id.values():
                if a is not b and not {a.me, b.me} & self.down:
                    a.connected(b.label, b.me)

    def settle(self) -> None:
        busy = True
        while busy:
            busy = False
            for node in self.by_id.values():
                if node.me in self.down:
                    continue
                if node.record is not None:
                    busy = True
                    node.recorded_durably(node.record)
                sent, node.send = node.send, []
                for to, message in sent:
                    busy = True
                    if to not in self.down and to in self.by_id:
                        self.by_id[to].step(node.label, node.me, message)


def test_three_connected_nodes_form_one_cluster() -> None:
    nodes = Nodes()
    nodes.connect()
    nodes.settle()
    maps = {node.recorded for node in nodes.by_id.values()}
    assert maps == {Formed((("n1", NodeId(11)), ("n2", NodeId(12)), ("n3", NodeId(13))), True)}
    assert all(node.complete for node in nodes.by_id.values())


def test_nobody_may_vote_while_one_configured_node_is_silent() -> None:
    nodes = Nodes()
    nodes.down = {NodeId(13)}
    nodes.connect()
    nodes.settle()
    assert not any(node.complete for node in nodes.by_id.values())


def test_a_node_that_comes_late_completes_the_cluster() -> None:
    nodes = Nodes()
    nodes.down = {NodeId(13)}
    nodes.connect()
    nodes.settle()
    nodes.down = set()
    nodes.connect()
    nodes.settle()
    assert all(node.complete for node in nodes.by_id.values())


def test_whoever_asks_again_learns_what_a_lost_message_would_have_said() -> None:
    nodes = Nodes()
    nodes.connect()
    late = nodes.by_id[NodeId(13)]
    for node in nodes.by_id.values():
        node.send = [each for each in node.send if late.me not in (each[0], node.me)]
    nodes.settle()
    assert not any(node.complete for node in nodes.by_id.values())
    for node in nodes.by_id.values():
        node.ask_again(each for each in nodes.by_id if each != node.me)
    nodes.settle()
    assert all(node.complete for node in nodes.by_id.values())


def test_a_wiped_node_whose_configured_peers_are_all_gone_is_told_by_whoever_dials_it() -> None:
    wiped = Formation("n2", NodeId(88), LABELS)
    wiped.connected("n7", NodeId(17))
    assert wiped.send == [(NodeId(17), Ask())]
    wiped.send.clear()
    wiped.ask_again([NodeId(17)])
    assert wiped.send == [(NodeId(17), Ask())]
    wiped.step("n7", NodeId(17), Report(FORMED, complete=True))
    assert wiped.record == Formed(FORMED, complete=True)
    wiped.recorded_durably(wiped.record)
    assert wiped.joins


def test_a_node_that_is_not_configured_here_has_no_part_in_forming() -> None:
    member = Formation("n2", NodeId(12), LABELS)
    member.connected("n0", NodeId(10))
    wider = (("n0", NodeId(10)), *FORMED)
    member.step("n0", NodeId(10), Report((), complete=False))
    member.step("n0", NodeId(10), Propose(wider))
    member.step("n0", NodeId(10), Report(wider, complete=False))
    assert (member.record, member.stopped) == (None, "")
    member.step("n1", NodeId(11), Propose(FORMED))
    assert member.record == Formed(FORMED, complete=False)


def test_a_node_that_is_to_be_added_waits_until_the_others_have_formed() -> None:
    early = Formation("n4", NodeId(14), (*LABELS, "n4"))
    early.step("n1", NodeId(11), Report(FORMED, complete=False))
    assert (early.record, early.stopped) == (None, "")
    early.step("n1", NodeId(11), Report(FORMED, complete=True))
    assert early.record == Formed(FORMED, complete=True)


def test_a_map_is_not_reported_before_it_is_durable() -> None:
    follower = Formation("n2", NodeId(12), LABELS)
    nodes = (("n1", NodeId(11)), ("n2", NodeId(12)), ("n3", NodeId(13)))
    follower.step("n1", NodeId(11), Propose(nodes))
    assert follower.record is not None
    assert not any(isinstance(message, Report) for _, message in follower.send)
    follower.recorded_durably(follower.record)
    assert (NodeId(11), Report(nodes, False)) in follower.send


def test_a_second_map_is_never_recorded() -> None:
    nodes = (("n1", NodeId(11)), ("n2", NodeId(12)), ("n3", NodeId(13)))
    member = Formation("n2", NodeId(12), LABELS, recorded=Formed(nodes, complete=False))
    member.step("n1", NodeId(99), Propose((("n1", NodeId(99)), *nodes[1:])))
    assert member.record is None
    assert "another map" in member.stopped


def test_a_formed_cluster_is_not_stopped_by_a_strangers_map() -> None:
    nodes = (("n1", NodeId(11)), ("n2", NodeId(12)), ("n3", NodeId(13)))
    member = Formation("n2", NodeId(12), LABELS, recorded=Formed(nodes, complete=True))
    member.step("n1", NodeId(99), Propose((("n1", NodeId(99)), *nodes[1:])))
    assert member.complete
    assert (NodeId(99), Report(nodes, True)) in member.send


def test_a_disk_replaced_while_the_cluster_forms_stops_formation() -> None:
    nodes = (("n1", NodeId(11)), ("n2", NodeId(12)), ("n3", NodeId(13)))
    member = Formation("n2", NodeId(12), LABELS, recorded=Formed(nodes, complete=False))
    member.connected("n3", NodeId(77))
    assert "n3 answered as" in member.stopped
    assert not member.complete


def test_a_wiped_node_refuses_the_map_of_its_earlier_life() -> None:
    wiped = Formation("n2", NodeId(88), LABELS)
    wiped.step("n1", NodeId(11), Propose(FORMED))
    assert "does not list this node" in wiped.stopped


def test_a_wiped_node_that_would_propose_asks_first_and_joins() -> None:
    nodes = Nodes()
    nodes.connect()
    nodes.settle()
    del nodes.by_id[NodeId(11)]
    wiped = nodes.by_id[NodeId(88)] = Formation("n1", NodeId(88), LABELS)
    nodes.connect()
    nodes.settle()
    assert wiped.recorded == Formed(FORMED, complete=True)
    assert (wiped.complete, wiped.joins, wiped.stopped) == (True, True, "")
    assert not any(nodes.by_id[NodeId(node)].joins for node in (12, 13))


def test_a_node_with_a_label_that_is_not_in_the_map_joins() -> None:
    new = Formation("n4", NodeId(14), (*LABELS, "n4"))
    new.step("n2", NodeId(12), Report(FORMED, complete=True))
    assert new.record == Formed(FORMED, complete=True)
    new.recorded_durably(new.record)
    assert new.joins


def test_who_joins_knows_it_at_the_next_start_and_tells_the_next_newcomer() -> None:
    again = Formation("n1", NodeId(88), LABELS, recorded=Formed(FORMED, complete=True))
    assert (again.complete, again.joins, again.stopped) == (True, True, "")
    again.step("n4", NodeId(99), Ask())
    assert (NodeId(99), Report(FORMED, complete=True)) in again.send


def test_nothing_is_proposed_before_everybody_has_said_that_it_holds_no_map() -> None:
    first = Formation("n1", NodeId(11), LABELS)
    first.connected("n2", NodeId(12))
    first.connected("n3", NodeId(13))
    first.step("n2", NodeId(12), Report((), complete=False))
    assert first.record is None
    first.step("n3", NodeId(13), Report((), complete=False))
    assert first.record == Formed(FORMED, complete=False)


def test_a_listed_node_that_lost_its_record_does_not_take_part_again() -> None:
    member = Formation("n2", NodeId(12), LABELS)
    member.step("n1", NodeId(11), Report(FORMED, complete=True))
    assert member.record is None
    assert "its log was lost" in member.stopped


def test_a_complete_node_votes_again_after_a_restart_without_hearing_anybody() -> None:
    nodes = (("n1", NodeId(11)), ("n2", NodeId(12)), ("n3", NodeId(13)))
    assert Formation("n2", NodeId(12), LABELS, recorded=Formed(nodes, complete=True)).complete


def test_a_node_that_restarted_half_way_asks_and_learns_that_all_have_recorded() -> None:
    nodes = (("n1", NodeId(11)), ("n2", NodeId(12)), ("n3", NodeId(13)))
    member = Formation("n2", NodeId(12), LABELS, recorded=Formed(nodes, complete=False))
    member.connected("n3", NodeId(13))
    asked: list[tuple[NodeId, FormationMessage]] = [(NodeId(13), Ask())]
    assert member.send == asked
    member.step("n1", NodeId(11), Report(nodes, False))
    assert member.record is None
    member.step("n3", NodeId(13), Report(nodes, False))
    assert member.record == Formed(nodes, complete=True)
