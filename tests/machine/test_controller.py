"""The controller's machine: what the scenarios of the classroom ask of it, and what it refuses."""

import pytest
from hypothesis import given, settings, strategies as st

from machine.controlling import Controller, loads, placed
from machine.driving import MEMBERS, dump
from pnyx.ids import Epoch, GroupId, NodeId, ShardId
from pnyx.machine.commands import Get, Set
from pnyx.machine.configuration import (
    NOBODY,
    SHARDS_MAX,
    Configuration,
    Member,
    Placement,
    moved,
)
from pnyx.machine.controller import CONTROLLER
from pnyx.machine.directives import (
    Found,
    Join,
    Leave,
    Move,
    MoveCommitted,
    MoveFailed,
    Plan,
    Query,
    Retire,
    Vacated,
    Whereabouts,
)
from pnyx.machine.group import Group
from pnyx.machine.machine import ELSEWHERE
from pnyx.machine.results import OK, Refusal
from pnyx.storage.memory import MemorySpace


def check(configuration: Configuration, *groups: int) -> None:
    """What the classroom's `check` asks for: these groups, every shard has one, evenly."""
    assert configuration.groups == groups
    assert set(configuration.targets) <= (set(groups) or {NOBODY})
    if groups:
        counts = loads(configuration)
        assert max(counts) - min(counts) <= 1


def vacate(controller: Controller) -> None:
    for shard, serving in enumerate(controller.directory.shards):
        assert controller.tell(Vacated(ShardId(shard), Epoch(serving.epoch + 1))) == OK


# Configurations: C-1, C-3, C-6, C-7, C-9, C-14, C-X1.


@pytest.mark.parametrize("shard_count", [10, 12])
def test_groups_join_and_leave_one_by_one(shard_count: int) -> None:
    controller = Controller(shard_count)
    check(controller.newest)
    check(controller.join(1), 1)
    check(controller.join(2), 1, 2)
    assert controller.newest.placements == placed(1, 2)
    controller.carry_out()
    check(controller.leave(1), 2)
    controller.carry_out()
    vacate(controller)
    check(controller.leave(2))


def test_a_moved_shard_stays_where_it_was_put_until_the_next_join() -> None:
    controller = Controller()
    controller.join(503, 504)
    for shard in range(10):
        group = 503 if shard < 5 else 504
        if controller.newest.targets[shard] != group:
            controller.move(shard, group)
    assert controller.newest.targets == (503,) * 5 + (504,) * 5
    controller.move(9, 503)
    assert loads(controller.newest) == [6, 4]
    controller.carry_out()
    check(controller.join(505), 503, 504, 505)


def test_a_move_to_where_the_shard_is_to_be_anyway_makes_no_configuration() -> None:
    controller = Controller()
    newest = controller.join(1)
    assert controller.tell(Move(ShardId(3), GroupId(1))) == controller.ask(Query())
    assert controller.newest == newest


def test_only_shards_of_who_joins_or_leaves_change_hands() -> None:
    controller = Controller()
    before = controller.join(1, 2)
    after = controller.join(3)
    gone = moved(before.targets, after.targets)
    assert len(gone) == 3
    assert {after.targets[shard] for shard in gone} == {3}
    controller.carry_out()
    last = controller.leave(1)
    gone = moved(after.targets, last.targets)
    assert len(gone) == after.targets.count(GroupId(1)) <= 4
    assert {after.targets[shard] for shard in gone} == {1}


def test_several_groups_join_and_leave_in_one_configuration() -> None:
    controller = Controller()
    check(controller.join(1, 2), 1, 2)
    check(controller.join(3), 1, 2, 3)
    controller.carry_out()
    check(controller.leave(1, 3), 2)
    assert controller.newest.number == 3
    controller.carry_out()
    vacate(controller)
    check(controller.leave(2))


def test_a_fourth_group_moves_two_shards_of_ten_there_and_two_back() -> None:
    controller = Controller()
    before = controller.join(1, 2, 3)
    assert sorted(loads(before)) == [3, 3, 4]
    after = controller.join(4)
    assert len(moved(before.targets, after.targets)) == len(controller.directory.undecided()) == 2
    assert controller.carry_out() == 2
    assert len(moved(after.targets, controller.leave(4).targets)) == 2


CHANGE = st.tuples(st.booleans(), st.sets(st.integers(1, 8), min_size=1, max_size=4))


@settings(max_examples=60)
@given(st.lists(CHANGE, max_size=12), st.integers(1, 20))
def test_after_any_changes_the_numbers_have_no_gap_and_the_moves_are_what_groups_had_too_much(
    changes: list[tuple[bool, set[int]]], shard_count: int
) -> None:
    controller = Controller(shard_count)
    for joins, groups in changes:
        before = controller.newest
        known = set(before.groups)
        some = sorted(groups - known if joins else groups & known)
        if not some or set(some) == known:
            continue
        after = controller.join(*some) if joins else controller.leave(*some)
        check(after, *sorted(known.union(some) if joins else known.difference(some)))
        excess = sum(
            max(0, before.targets.count(each) - after.targets.count(each)) for each in before.groups
        )
        assert len(moved(before.targets, after.targets)) == excess
        controller.carry_out()
    for number in range(controller.newest.number + 1):
        assert controller.number(number).number == number


# History: C-2, C-13.


def test_every_configuration_is_there_for_ever_also_after_a_snapshot() -> None:
    controller = Controller()
    made = [controller.newest, controller.join(1), controller.join(2), controller.move(0, 2)]
    other = Group(MemorySpace(), GroupId(1), CONTROLLER)
    view = _founded(controller.group).view()
    other.begin_install()
    other.install_rows(list(view.rows()))
    view.close()
    other.finish_install(controller.group.applied, MEMBERS)
    copy = Controller(0, other.space)
    assert [copy.number(number) for number in range(4)] == made
    assert copy.directory == controller.directory
    assert copy.join(3).number == 4


def test_a_query_above_the_newest_gives_the_newest_and_one_below_minus_one_is_refused() -> None:
    controller = Controller()
    newest = controller.join(1)
    assert controller.number(99) == controller.number(-1) == newest
    assert isinstance(controller.ask(Query(-2)), Refusal)


def test_changes_and_reads_before_the_founding_are_refused() -> None:
    controller = Controller(0)
    for directive in (Join(placed(1)), Leave((GroupId(1),)), Move(ShardId(0), GroupId(1)), Query()):
        result = controller.tell(directive)
        assert isinstance(result, Refusal)
        assert "no configuration yet" in result.text
    for shard_count in (0, SHARDS_MAX + 1):
        assert isinstance(controller.tell(Found(shard_count)), Refusal)


def test_a_cluster_is_founded_once() -> None:
    controller = Controller()
    controller.join(1)
    assert controller.tell(Found(10)) == controller.ask(Query(0))
    assert "never changes" in controller.refusal(Found(11))


# Refusals.


def _group(group: int, *members: tuple[str, int]) -> Placement:
    return Placement(
        GroupId(group), tuple(Member(label, "x:1", NodeId(node)) for label, node in members)
    )


@pytest.mark.parametrize(
    ("directive", "why"),
    [
        (Join(placed(1)), "a group g1 already"),
        (Join(placed(3, 3)), "named twice"),
        (Join(()), "no group was named"),
        (Join((Placement(GroupId(3), ()),)), "has 0 nodes"),
        (Join((_group(3, ("x", 1), ("x", 2)),)), "a node twice"),
        (Join((_group(3, ("x", 1), ("y", 1)),)), "a node twice"),
        (Join((_group(3, ("x", 1), ("y", 0)),)), "without an id"),
        (Join((_group(0, ("x", 1)),)), "is 1 to 2147483647"),
        (Join((_group(2**31, ("x", 1)),)), "is 1 to 2147483647"),
        (Join((_group(3, ("x" * 256, 1)),)), "1 to 255 bytes"),
        (Join((_group(3, ("1a", 11)),)), "node 1a would be in groups"),
        (Leave((GroupId(9),)), "no group g9"),
        (Leave((GroupId(1), GroupId(1))), "named twice"),
        (Leave(()), "no group was named"),
        (Leave((GroupId(1), GroupId(2))), "served by no group"),
        (Retire(GroupId(1)), "let it leave"),
        (Retire(GroupId(9)), "no group g9 has left"),
        (Move(ShardId(0), GroupId(9)), "no group g9"),
        (Move(ShardId(10), GroupId(1)), "no shard 10"),
        (MoveCommitted(ShardId(0), Epoch(2), GroupId(2)), "no move of shard 0"),
        (MoveFailed(ShardId(0), Epoch(3)), "no move of shard 0"),
        (Vacated(ShardId(10), Epoch(2)), "no shard 10"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(directive: object, why: str) -> None:
    controller = Controller()
    controller.join(1, 2)
    assert why in controller.refusal(directive)  # type: ignore[arg-type]


def test_a_node_has_two_groups_only_if_that_is_said() -> None:
    controller = Controller()
    controller.join(1)
    second = Placement(GroupId(2), placed(1)[0].members)
    assert "would be in groups g1 and g2" in controller.refusal(Join((second,)))
    assert controller.made(Join((second,), shared=True)).groups == (1, 2)
    assert "would be in groups g1 and g3" in controller.refusal(Join((_group(3, ("1a", 11)),)))
    assert controller.made(Join(placed(4))).groups == (1, 2, 4), "it shares nothing"


def test_a_group_does_not_leave_while_a_move_from_or_to_it_is_undecided() -> None:
    controller = Controller()
    controller.join(1)
    controller.join(2)
    for group in (1, 2):
        why = controller.refusal(Leave((GroupId(group),)))
        assert why.startswith("MOVING ")
        assert "on its way from group g1 to g2" in why
    controller.carry_out()
    assert controller.leave(1).groups == (2,)


def test_a_group_that_has_left_is_known_until_its_last_shard_is_gone() -> None:
    controller = Controller()
    controller.join(1, 2)
    controller.leave(1)
    assert controller.directory.leaving == placed(1)
    assert "still leaving" in controller.refusal(Join(placed(1)))
    controller.carry_out()
    assert controller.directory.leaving == ()
    assert controller.join(1).groups == (1, 2)


def test_a_group_that_was_retired_never_comes_back() -> None:
    controller = Controller()
    controller.join(1, 2)
    controller.leave(1)
    assert "still leaving" in controller.refusal(Retire(GroupId(1)))
    controller.carry_out()
    assert list(controller.directory.departed) == [1]
    for _ in range(2):
        assert controller.tell(Retire(GroupId(1))) == controller.ask(Query())
    assert not controller.directory.departed
    assert list(controller.directory.retired) == [1]
    assert "group g1 was retired" in controller.refusal(Join(placed(1)))


def test_a_group_that_came_back_has_not_left() -> None:
    controller = Controller()
    controller.join(1, 2)
    controller.leave(1)
    controller.carry_out()
    controller.join(1)
    assert not controller.directory.departed
    assert "let it leave" in controller.refusal(Retire(GroupId(1)))


def test_a_shard_that_was_given_up_is_its_targets_at_the_next_configuration() -> None:
    controller = Controller()
    controller.join(1)
    vacate(controller)
    assert {serving.group for serving in controller.directory.shards} == {NOBODY}
    controller.join(2)
    shards = controller.directory.shards
    assert [serving.group for serving in shards] == list(controller.newest.targets)
    assert {serving.epoch for serving in shards} == {3}


# The directory.


def test_the_directory_follows_the_reports_and_not_the_targets() -> None:
    controller = Controller()
    controller.join(1)
    after = controller.join(2)
    before = controller.directory
    assert {serving.group for serving in before.shards} == {1}
    for shard, serving in before.undecided():
        assert (serving.epoch, serving.destination) == (1, after.targets[shard])
        assert controller.tell(MoveCommitted(shard, Epoch(2), GroupId(2))) == OK
        assert controller.directory.shards[shard].group == 2
    assert controller.directory.undecided() == []


def test_a_move_that_failed_is_tried_again_two_epochs_later() -> None:
    controller = Controller()
    controller.join(1)
    controller.join(2)
    shard, serving = controller.directory.undecided()[0]
    assert controller.tell(MoveFailed(shard, Epoch(serving.epoch + 2))) == OK
    again = controller.directory.shards[shard]
    assert (again.epoch, again.group, again.destination) == (serving.epoch + 2, 1, 2)


def test_a_late_report_of_an_earlier_attempt_changes_nothing() -> None:
    controller = Controller()
    controller.join(1)
    controller.join(2)
    shard, _ = controller.directory.undecided()[0]
    controller.tell(MoveFailed(shard, Epoch(3)))
    now = controller.directory
    for late in (
        MoveCommitted(shard, Epoch(2), GroupId(2)),
        MoveFailed(shard, Epoch(3)),
        Vacated(shard, Epoch(2)),
    ):
        assert controller.tell(late) == OK
        assert controller.directory == now


def test_a_shard_whose_target_changes_under_way_goes_on_from_where_it_arrives() -> None:
    controller = Controller()
    controller.join(1)
    controller.join(2)
    shard, _ = controller.directory.undecided()[0]
    controller.move(shard, 1)
    assert controller.directory.shards[shard].destination == 2
    controller.tell(MoveCommitted(shard, Epoch(2), GroupId(2)))
    arrived = controller.directory.shards[shard]
    assert (arrived.epoch, arrived.group, arrived.destination) == (2, 2, 1)


@settings(max_examples=60)
@given(st.data())
def test_reports_that_come_twice_and_out_of_order_lead_where_they_do_once(
    data: st.DataObject,
) -> None:
    controller, noisy = Controller(), Controller()
    sent: list[MoveCommitted] = []
    for told in (controller, noisy):
        told.join(1)
        told.join(2, 3)
    while undecided := controller.directory.undecided():
        shard, serving = data.draw(st.sampled_from(undecided))
        report = MoveCommitted(shard, Epoch(serving.epoch + 1), serving.destination)
        sent.append(report)
        controller.tell(report)
        for each in (report, *data.draw(st.lists(st.sampled_from(sent), max_size=3))):
            noisy.tell(each)
    assert noisy.directory == controller.directory


# Dry run, and what is not for it.


@pytest.mark.parametrize(
    "change", [Join(placed(3)), Leave((GroupId(1),)), Move(ShardId(0), GroupId(2))]
)
def test_a_plan_is_what_the_change_then_makes(change: Join | Leave | Move) -> None:
    controller = Controller()
    controller.join(1, 2)
    before = dump(controller.space)
    plan = controller.ask(Plan(change))
    assert dump(controller.space) == before
    assert plan == controller.tell(change)


def test_a_plan_is_refused_as_the_change_would_be() -> None:
    controller = Controller()
    controller.join(1)
    change = Leave((GroupId(7),))
    assert controller.ask(Plan(change)) == controller.tell(change)


def test_a_group_refuses_the_commands_of_the_other_machine() -> None:
    controller = Controller()
    assert controller.tell(Set(b"k", b"v")) == ELSEWHERE  # type: ignore[arg-type]
    assert controller.ask(Get(b"k")) == ELSEWHERE  # type: ignore[arg-type]
    keys = Controller.__new__(Controller)
    keys.group = Group(MemorySpace(), GroupId(1))
    assert keys.tell(Found(10)) == keys.ask(Whereabouts()) == ELSEWHERE


def _founded(group: Group) -> Group:
    group.membership = MEMBERS
    return group
