"""Rebalancing: even, the fewest moves that can be, the same whoever computes it."""

import os
import subprocess
import sys
from itertools import combinations

from hypothesis import given, strategies as st

from pnyx.ids import GroupId
from pnyx.machine.configuration import NOBODY, moved
from pnyx.machine.rebalance import rebalanced

GROUPS = st.lists(st.integers(1, 60).map(GroupId), max_size=7, unique=True)
TARGETS = st.lists(st.integers(0, 9).map(GroupId), min_size=1, max_size=24)


def fewest(targets: list[GroupId], groups: list[GroupId]) -> int:
    """Return the least number of shards that must change hands: every quota is tried."""
    least, larger = divmod(len(targets), len(groups))
    homeless = sum(target not in groups for target in targets)
    return homeless + min(
        sum(max(0, targets.count(group) - least - (group in lucky)) for group in groups)
        for lucky in combinations(groups, larger)
    )


@given(TARGETS, GROUPS.filter(len))
def test_loads_differ_by_one_at_most_and_every_shard_has_one_of_the_groups(
    targets: list[GroupId], groups: list[GroupId]
) -> None:
    after = rebalanced(targets, groups)
    counts = [after.count(group) for group in groups]
    assert max(counts) - min(counts) <= 1
    assert sum(counts) == len(targets)


@given(TARGETS, GROUPS.filter(len))
def test_no_fewer_shards_could_change_hands(targets: list[GroupId], groups: list[GroupId]) -> None:
    after = rebalanced(targets, groups)
    changed = sum(a != b for a, b in zip(targets, after, strict=True))
    assert changed == fewest(targets, groups)


@given(TARGETS, GROUPS, st.randoms(use_true_random=False))
def test_the_order_in_which_groups_are_named_does_not_matter(
    targets: list[GroupId], groups: list[GroupId], random: object
) -> None:
    shuffled = list(groups)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert rebalanced(targets, shuffled) == rebalanced(targets, groups)


@given(TARGETS, GROUPS)
def test_what_is_balanced_stays_as_it_is(targets: list[GroupId], groups: list[GroupId]) -> None:
    after = rebalanced(targets, groups)
    assert rebalanced(after, groups) == after


def test_without_groups_nobody_has_a_shard() -> None:
    assert rebalanced([GroupId(1), GroupId(2)], []) == (NOBODY, NOBODY)


def test_a_fourth_group_beside_three_four_and_three_takes_exactly_two() -> None:
    before = [GroupId(group) for group in (1, 1, 1, 2, 2, 2, 3, 3, 3, 3)]
    after = rebalanced(before, [GroupId(group) for group in (1, 2, 3, 4)])
    assert len(moved(before, after)) == 2
    assert sorted(after.count(GroupId(group)) for group in (1, 2, 3, 4)) == [2, 2, 3, 3]
    back = rebalanced(after, [GroupId(group) for group in (1, 2, 3)])
    assert len(moved(after, back)) == 2


_STORY = """
import sys
sys.path.insert(0, "tests")
from machine.controlling import Controller
from machine.driving import dump
from pnyx.machine.directives import Move
controller = Controller(97)
controller.join(7, 3, 12, 5, 40)
controller.join(1)
controller.carry_out()
controller.leave(12, 3)
controller.tell(Move(4, 1))
controller.join(6, 2)
print(dump(controller.space))
"""


def test_processes_that_hash_differently_write_the_same_rows() -> None:
    told = [
        subprocess.run(
            [sys.executable, "-c", _STORY],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    ]
    assert told[0] == told[1]
    assert "configuration" in told[0]
