"""One node's replicas together: founded, turned only when due, asked from afar, led from home."""

from dataclasses import astuple

from pnyx.consensus.engines import EngineName
from pnyx.consensus.raft.messages import Heartbeat
from pnyx.ids import Epoch, GroupId, Index, NodeId, ShardId, Term
from pnyx.machine.commands import Get, Set
from pnyx.machine.configuration import NOBODY, Configuration, Directory, Placement, Serving
from pnyx.machine.directives import Join, Leave, MoveCommitted, Retire, Vacated
from pnyx.machine.holdings import WRONG_SHARD
from pnyx.machine.moves import FoundShards
from pnyx.machine.results import OK
from pnyx.machine.slots import slot_of
from pnyx.replica.changes import Remove
from pnyx.replica.effects import Now, Outbound
from pnyx.replica.founding import Missing
from pnyx.replica.limits import ReplicaLimits
from pnyx.replica.messages import Forward, ForwardReply, Join as AskToJoin, News
from pnyx.replica.requests import Done, Elsewhere, NotDone, Reason, Unknown
from pnyx.replica.roster import CONTROL, Roster
from replica.rosters import Nodes, member

ONE, TWO = GroupId(1), GroupId(2)


def founded(
    count: int = 3, controllers: int = 0, groups: int = 2, engine: EngineName = EngineName.RAFT
) -> Nodes:
    """A cluster whose data groups have leaders; each shard is served by its group."""
    nodes = Nodes(count, controllers, groups, engine=engine)
    nodes.elect(1)
    nodes.advance(1_000)
    for group in range(1, groups + 1):
        atlas = nodes.roster(1).atlas
        shards = [ShardId(shard) for shard, owner in enumerate(atlas.owners) if owner == group]
        nodes.submit(1, group, f"found {group}", FoundShards(tuple(shards), Epoch(1)))
        assert nodes.nodes[1].told(f"found {group}") == Done((OK,))
    return nodes


def key_of(nodes: Nodes, group: int) -> bytes:
    """Return a key that `group` serves."""
    keys = (b"k%d" % number for number in range(1_000))
    return next(key for key in keys if nodes.roster(1).atlas.group_of_slot(slot_of(key)) == group)


def hand_over(nodes: Nodes, group: int, to: int) -> None:
    leader = nodes.roster(nodes.leader(group))
    assert leader.replicas[GroupId(group)].transfer_leadership(NodeId(to), nodes.now)
    leader.touched(GroupId(group))
    nodes.settle()
    assert nodes.leader(group) == to


# Founding.


def test_a_new_cluster_founds_itself_once_the_controller_leads() -> None:
    nodes = founded(groups=4)
    for number in (1, 2, 3):
        roster = nodes.roster(number)
        assert sorted(roster.replicas) == [0, 1, 2, 3, 4]
        assert roster.atlas.number == 1
        assert sorted(set(roster.atlas.owners)) == [1, 2, 3, 4]


def test_leaders_are_spread_over_the_nodes_from_the_start() -> None:
    nodes = founded(groups=6)
    assert [nodes.leader(group) for group in range(1, 7)] == [1, 2, 3, 1, 2, 3]


def test_a_later_leader_founds_nothing_again() -> None:
    nodes = founded()
    hand_over(nodes, 0, 2)
    nodes.advance(3_000)
    assert [nodes.roster(number).atlas.number for number in (1, 2, 3)] == [1, 1, 1]


def test_a_cluster_whose_groups_all_left_is_not_founded_again() -> None:
    nodes = founded(groups=1)
    nodes.submit(1, 0, "vacated", *[Vacated(ShardId(n), Epoch(2)) for n in range(10)])
    nodes.submit(1, 0, "leave", Leave((ONE,)))
    hand_over(nodes, 0, 3)
    nodes.advance(3_000)
    assert nodes.roster(3).atlas.number == 2
    assert set(nodes.roster(3).atlas.owners) == {NOBODY}


# Requests to groups that are here.


def test_a_request_goes_to_the_leader_of_its_group() -> None:
    nodes = founded()
    for group in (1, 2):
        key = key_of(nodes, group)
        nodes.submit(3, group, f"set {group}", Set(key, b"v"))
        nodes.submit(2, group, f"get {group}", Get(key))
        assert nodes.nodes[3].told(f"set {group}") == Done((OK,))
        assert nodes.nodes[2].told(f"get {group}") == Done((b"v",))


def test_a_group_refuses_what_another_one_serves() -> None:
    nodes = founded()
    nodes.submit(1, 1, "wrong", Set(key_of(nodes, 2), b"v"))
    assert nodes.nodes[1].told("wrong") == Done((WRONG_SHARD,))


def test_only_groups_with_something_to_do_are_visited() -> None:
    nodes = founded(groups=16)
    nodes.visits = 0
    nodes.submit(1, 1, "get", Get(key_of(nodes, 1)))
    # A read at the leader: its round, the two answers to it, and the answer.
    assert nodes.visits <= 8


# Requests to groups that are elsewhere.


def test_an_envoy_carries_requests_to_a_group_that_is_not_here() -> None:
    nodes = founded(count=4, controllers=3)
    assert not nodes.roster(4).replicas
    assert nodes.roster(4).atlas.number == 1
    key = key_of(nodes, 2)
    nodes.submit(4, 2, "set", Set(key, b"v"))
    nodes.submit(4, 2, "get", Get(key))
    nodes.advance(200)
    assert nodes.nodes[4].told("set") == Done((OK,))
    assert nodes.nodes[4].told("get") == Done((b"v",))
    assert nodes.roster(4).leader(TWO) == 2


def test_an_envoy_tells_where_to_go_whom_it_may_not_forward_for() -> None:
    nodes = founded(count=4, controllers=3)
    nodes.submit(4, 2, "learn", Get(key_of(nodes, 2)))
    nodes.advance(200)
    nodes.submit(4, 2, "moved", Get(key_of(nodes, 2)), forward=False)
    assert nodes.nodes[4].told("moved") == Elsewhere(NodeId(2))


def test_an_envoy_follows_a_change_of_leaders() -> None:
    nodes = founded(count=4, controllers=3)
    key = key_of(nodes, 2)
    nodes.submit(4, 2, "before", Set(key, b"1"))
    hand_over(nodes, 2, 3)
    nodes.submit(4, 2, "after", Set(key, b"2"))
    nodes.advance(500)
    assert nodes.nodes[4].told("after") == Done((OK,))
    assert nodes.roster(4).leader(TWO) == 3


def test_a_write_that_was_on_its_way_when_the_link_broke_is_unknown_and_a_read_is_not_done() -> (
    None
):
    nodes = founded(count=4, controllers=3)
    key = key_of(nodes, 1)
    nodes.submit(4, 1, "warm", Get(key))
    nodes.advance(100)
    # The answers never come.
    nodes.cut = {frozenset((4, number)) for number in (1, 2, 3)}
    nodes.submit(4, 1, "write", Set(key, b"v"))
    nodes.submit(4, 1, "read", Get(key))
    nodes.part(4)
    assert nodes.nodes[4].told("write") == Unknown()
    assert nodes.nodes[4].told("read") == NotDone(Reason.NO_QUORUM)


def test_a_write_whose_answer_does_not_come_is_unknown_in_time() -> None:
    nodes = founded(count=4, controllers=3)
    key = key_of(nodes, 1)
    nodes.submit(4, 1, "warm", Get(key))
    nodes.advance(100)
    nodes.cut = {frozenset((4, number)) for number in (1, 2, 3)}
    nodes.submit(4, 1, "write", Set(key, b"v"))
    nodes.advance(nodes.limits.outcome_ms - 100)
    assert nodes.nodes[4].told("write") is None
    nodes.advance(200)
    assert nodes.nodes[4].told("write") == Unknown()


def test_requests_to_nobody_are_parked_and_refused_within_their_bound() -> None:
    nodes = Nodes(count=4, controllers=3)
    nodes.submit(4, 7, "early", Set(b"k", b"v"))
    nodes.advance(nodes.limits.park_ms - 100)
    assert nodes.nodes[4].told("early") is None
    nodes.advance(200)
    assert nodes.nodes[4].told("early") == NotDone(Reason.NO_QUORUM)


def test_requests_that_were_parked_are_sent_once_the_group_is_known() -> None:
    nodes = Nodes(count=4, controllers=3)
    nodes.submit(4, 1, "early", Get(b"k"))
    nodes.elect(1)
    nodes.advance(1_400)
    assert nodes.nodes[4].told("early") == Done((None,))


def test_parked_requests_have_a_limit_in_bytes() -> None:
    nodes = Nodes(count=4, controllers=3, limits=ReplicaLimits(parked_bytes=100))
    nodes.submit(4, 7, "fits", Set(b"k", b"v"))
    nodes.submit(4, 7, "does not", Set(b"k", b"v" * 100))
    assert nodes.nodes[4].told("does not") == NotDone(Reason.OVERLOADED)
    assert nodes.nodes[4].told("fits") is None


def test_whoever_waits_at_an_envoy_is_told_when_the_node_stops() -> None:
    nodes = Nodes(count=4, controllers=3)
    nodes.submit(4, 7, "parked", Set(b"k", b"v"))
    nodes.roster(4).stop()
    nodes.settle()
    assert nodes.nodes[4].told("parked") == NotDone(Reason.STOPPING)


def test_a_forward_to_a_replica_that_is_not_here_is_refused() -> None:
    nodes = founded(count=4, controllers=3)
    roster = nodes.roster(4)
    roster.heard(NodeId(1), nodes.now.wall_ms)
    roster.step(ONE, NodeId(1), Forward(5, 1, (Get(b"k"),), by_log=False), nodes.now)
    ((group, effects),) = roster.effects(nodes.now)
    (sent,) = effects.send
    assert (group, sent.to) == (ONE, NodeId(1))
    assert sent.message == ForwardReply(5, 1, NotDone(Reason.NO_QUORUM))


# Groups that come and go.


def joined(nodes: Nodes, group: int, *numbers: int) -> None:
    placement = Placement(GroupId(group), tuple(member(number) for number in numbers))
    nodes.submit(1, 0, f"join {group}", Join((placement,), shared=True))
    nodes.advance(500)


def settle_moves(nodes: Nodes) -> None:
    """Report every move as done, as the groups would."""
    for shard, serving in nodes.roster(1).atlas.undecided():
        report = MoveCommitted(shard, Epoch(serving.epoch + 1), serving.destination)
        nodes.submit(1, 0, (shard, serving.epoch), report)


def test_a_group_that_joins_gets_replicas_where_it_is_placed_and_only_there() -> None:
    nodes = founded()
    joined(nodes, 3, 3, 2)
    assert GroupId(3) not in nodes.roster(1).replicas
    assert nodes.leader(3) == 3
    for number in (1, 2):
        assert GroupId(3) in nodes.roster(number).atlas.owners


def test_a_node_that_missed_ten_configurations_catches_up_by_itself() -> None:
    nodes = founded(count=4, controllers=3)
    nodes.part(4)
    for group in range(10, 20):
        joined(nodes, group, 1)
    assert nodes.roster(4).atlas.number == 1
    nodes.heal()
    nodes.advance(100)
    assert nodes.roster(4).atlas.number == 11


def test_news_come_without_being_asked_for() -> None:
    nodes = founded(count=4, controllers=3)
    nodes.advance(3_000)
    placement = Placement(GroupId(3), (member(1),))
    nodes.submit(1, 0, "join", Join((placement,), shared=True))
    nodes.advance(100)
    assert nodes.roster(4).atlas.number == 2


def test_a_controller_without_a_quorum_stops_changes_but_no_group() -> None:
    nodes = founded(count=5, controllers=3, groups=1)
    joined(nodes, 9, 1, 4, 5)
    nodes.part(2, 3)
    nodes.advance(2_000)
    placement = Placement(GroupId(3), (member(1),))
    nodes.submit(1, 0, "join", Join((placement,), shared=True))
    nodes.submit(1, 9, "read", Get(b"k"))
    nodes.advance(2_000)
    assert nodes.nodes[1].told("join") == NotDone(Reason.NO_QUORUM)
    assert nodes.nodes[1].told("read") == Done((WRONG_SHARD,))


def test_a_retired_group_is_destroyed_where_it_was() -> None:
    nodes = founded()
    joined(nodes, 3, 3, 2)
    settle_moves(nodes)
    nodes.submit(1, 0, "leave", Leave((GroupId(3),)))
    settle_moves(nodes)
    before = astuple(nodes.roster(3).counters)
    nodes.submit(1, 0, "retire", Retire(GroupId(3)))
    assert [nodes.nodes[number].doomed for number in (1, 2, 3)] == [[], [3], [3]]
    assert GroupId(3) not in nodes.roster(3).replicas
    after = astuple(nodes.roster(3).counters)
    assert all(new >= old for new, old in zip(after, before, strict=True)), "counts only grow"


def test_who_waits_at_a_group_that_turns_out_to_be_gone_may_ask_the_others() -> None:
    nodes = founded()
    joined(nodes, 3, 3, 2)
    settle_moves(nodes)
    nodes.part(3)
    nodes.submit(1, 0, "leave", Leave((GroupId(3),)))
    settle_moves(nodes)
    nodes.submit(1, 0, "retire", Retire(GroupId(3)))
    nodes.advance(5_000)
    nodes.submit(3, 3, "read", Get(b"k"))
    assert nodes.nodes[3].told("read") is None, "it has no leader, and waits"
    nodes.heal()
    nodes.advance(1_000)
    assert GroupId(3) not in nodes.roster(3).replicas
    # Not that the node is shutting down: it is not, and others have the key.
    assert nodes.nodes[3].told("read") == Done((WRONG_SHARD,))


def test_who_asks_a_group_that_is_known_to_be_gone_is_told_at_once() -> None:
    nodes = founded()
    joined(nodes, 3, 2)
    settle_moves(nodes)
    nodes.submit(1, 0, "leave", Leave((GroupId(3),)))
    settle_moves(nodes)
    nodes.submit(1, 0, "retire", Retire(GroupId(3)))
    assert GroupId(3) in nodes.roster(1).atlas.retired
    nodes.submit(1, 3, "read", Get(b"k"))
    assert nodes.nodes[1].told("read") == Done((WRONG_SHARD,))


def test_a_node_that_a_leader_counts_in_starts_a_replica() -> None:
    nodes = founded()
    joined(nodes, 3, 3, 2)
    roster = nodes.roster(1)
    roster.heard(NodeId(3), nodes.now.wall_ms)
    # Whoever looks for its place asks everybody, which is no reason to start anything.
    roster.step(GroupId(3), NodeId(3), AskToJoin("n9"), nodes.now)
    assert not roster.missing()
    roster.step(GroupId(3), NodeId(3), Heartbeat(Term(1), 1, Index(0), Term(0)), nodes.now)
    (missing,) = roster.missing()
    assert missing.group == 3
    assert set(missing.membership.voters) == {2, 3}
    assert not missing.campaigns


def let_go_of_n3(nodes: Nodes) -> None:
    """Remove it from the group that n1 leads, and wait until it knows."""
    leader = nodes.roster(1).replicas[ONE]
    leader.change_members(Remove(NodeId(3)), "removed", nodes.now)
    nodes.roster(1).touched(ONE)
    nodes.advance(1_000)
    assert nodes.roster(3).replicas[ONE].retired


def test_a_node_that_left_a_group_asks_those_that_are_in_it() -> None:
    nodes = founded()
    let_go_of_n3(nodes)
    key = key_of(nodes, 1)
    nodes.submit(3, 1, "set", Set(key, b"v"))
    nodes.submit(3, 1, "get", Get(key))
    assert nodes.nodes[3].told("set") == Done((OK,))
    assert nodes.nodes[3].told("get") == Done((b"v",))


def test_a_node_that_left_a_group_does_not_hold_what_others_ask_it_of_that_group() -> None:
    # It was parked until its time was over: nobody tells a retired replica who leads.
    nodes = founded()
    let_go_of_n3(nodes)
    roster = nodes.roster(3)
    roster.heard(NodeId(9), nodes.now.wall_ms)
    asked = Forward(7, 1, (Get(key_of(nodes, 1)),), by_log=False)
    roster.step(ONE, NodeId(9), asked, nodes.now)
    sent = [each for _, effects in roster.effects(nodes.now) for each in effects.send]
    turned_away = ForwardReply(7, 1, NotDone(Reason.NO_QUORUM))
    assert Outbound(NodeId(9), turned_away) in sent


def test_a_newcomer_without_a_place_in_a_group_asks_those_that_have_one() -> None:
    # D-1 of the Lab: its replica, which nobody counts in, waited for a leader for ever.
    nodes = founded(count=4, controllers=3)
    held = nodes.roster(1).replicas[ONE].consensus.membership
    nodes.start(4, Missing(ONE, held, EngineName.RAFT, 10, False))
    key = key_of(nodes, 1)
    nodes.submit(4, 1, "set", Set(key, b"v"))
    assert nodes.nodes[4].told("set") == Done((OK,))
    assert nodes.roster(4).leader(ONE) == nodes.roster(1).leader(ONE)


def test_a_group_that_was_destroyed_here_is_not_made_again() -> None:
    roster = Roster(
        me=NodeId(4), boot=1, limits=ReplicaLimits(), controllers=(), destroyed=(GroupId(3),)
    )
    now = Now(0, 0)
    placements = tuple(Placement(GroupId(group), (member(4),)) for group in (2, 3))
    configuration = Configuration(1, (TWO, TWO), placements)
    directory = Directory((Serving(Epoch(1), TWO), Serving(Epoch(1), TWO)))
    roster.step(CONTROL, NodeId(1), News(configuration, directory, (NodeId(1),)), now)
    roster.effects(now)
    assert [missing.group for missing in roster.missing()] == [2]
    roster.heard(NodeId(5), 0)
    roster.step(GroupId(3), NodeId(5), Heartbeat(Term(1), 1, Index(0), Term(0)), now)
    assert roster.missing() == []


# Where leaders live.


def test_a_leader_goes_back_to_where_it_belongs() -> None:
    nodes = founded()
    nodes.part(2)
    nodes.advance(2_000)
    assert nodes.roster(1).replicas[TWO].leads or nodes.roster(3).replicas[TWO].leads
    nodes.heal()
    nodes.advance(1_500)
    assert not nodes.roster(2).replicas[TWO].leads
    nodes.advance(4_000)
    assert nodes.leader(2) == 2


def test_a_leader_that_was_moved_on_purpose_stays_until_its_home_comes_back_anew() -> None:
    nodes = founded()
    hand_over(nodes, 2, 3)
    nodes.advance(20_000)
    assert nodes.leader(2) == 3
    nodes.part(2)
    nodes.advance(100)
    nodes.heal()
    nodes.advance(6_000)
    assert nodes.leader(2) == 2


def test_the_controllers_group_has_no_home() -> None:
    nodes = founded()
    hand_over(nodes, 0, 3)
    nodes.advance(10_000)
    assert nodes.leader(CONTROL) == 3
