"""The scenarios of the controller are all there, and each of its judges can say no.

`make lab` plays them: three fixed seeds and a fresh one.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, Final

import pytest
from hypothesis import given, strategies as st
from msgspec import structs

from pnyx.ids import GroupId
from pnyx.lab.catalogue import all_scenarios, scenario_named
from pnyx.lab.configurations import INVARIANTS, Configurations, fewest_moves
from pnyx.lab.invariants.invariant import Marks
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.operators import check, founded, settled
from pnyx.lab.stage import WorldStage, play
from pnyx.machine import controller, planning, rebalance
from pnyx.machine.configuration import Configuration, Directory, Serving, encode
from pnyx.machine.controller import CONTROLLER
from pnyx.machine.directives import MoveCommitted
from pnyx.machine.keyspace import Keyspace
from pnyx.machine.results import OK, Result

FRESH: Final = int(os.environ.get("PNYX_SEED") or int.from_bytes(os.urandom(4)))
"""Drawn for each run of the tests: what fails is replayed with PNYX_SEED."""
IDS: Final = [each.id for each in all_scenarios() if each.id.startswith("C-")]
Patch = pytest.MonkeyPatch


def test_no_scenario_of_the_table_is_missing() -> None:
    numbers = (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, "X1", "X2")
    assert sorted(IDS) == sorted(f"C-{number}" for number in numbers)


def test_a_seed_gives_the_same_events_again() -> None:
    runs = [play(scenario_named("C-X2"), FRESH) for _ in range(2)]
    assert runs[0].hash == runs[1].hash


def test_what_the_judges_look_for_happens() -> None:
    marks = Marks()
    for identifier in ("C-4", "C-X1"):
        scenario = scenario_named(identifier)
        assert play(scenario, 1, [Configurations(marks)]).ok
    assert marks.never(invariant.sometimes for invariant in INVARIANTS) == []


# The judges: each says no to exactly what it is there for.


def _give_all_to_one(patch: Patch) -> None:
    def unfair(targets: Sequence[GroupId], groups: Sequence[GroupId]) -> tuple[GroupId, ...]:
        return (min(groups),) * len(targets)

    patch.setattr(planning, "rebalanced", unfair)


def _turn_everything(patch: Patch) -> None:
    def restless(targets: Sequence[GroupId], groups: Sequence[GroupId]) -> tuple[GroupId, ...]:
        after = rebalance.rebalanced(targets, groups)
        return (*after[1:], after[0])

    patch.setattr(planning, "rebalanced", restless)


def _keep_the_epoch(patch: Patch) -> None:
    def keeps(keyspace: Keyspace, report: MoveCommitted) -> Result:
        before = controller._directory(keyspace).shards[report.shard]
        controller._put_serving(keyspace, report.shard, Serving(before.epoch, report.group))
        return OK

    rules: dict[Any, Any] = CONTROLLER.commands
    patch.setitem(rules, MoveCommitted, keeps)


def _forget_who_leaves(patch: Patch) -> None:
    right = controller._tidied

    def tidied(directory: Directory) -> Directory:
        return right(structs.replace(directory, leaving=()))

    patch.setattr(controller, "_tidied", tidied)


def _write_over_the_first(patch: Patch) -> None:
    right = controller._add

    def add(keyspace: Keyspace, configuration: Configuration) -> None:
        right(keyspace, configuration)
        if configuration.number == 3:
            keyspace.put(controller._key(2), encode(configuration))

    patch.setattr(controller, "_add", add)


def _rewrite_an_old_one(patch: Patch) -> None:
    right = controller._add

    def add(keyspace: Keyspace, configuration: Configuration) -> None:
        right(keyspace, configuration)
        if configuration.number == 3:
            other = Configuration(1, configuration.targets, configuration.placements)
            keyspace.put(controller._key(1), encode(other))

    patch.setattr(controller, "_add", add)


@pytest.mark.parametrize(
    ("plant", "invariant"),
    [
        (_give_all_to_one, "groups_are_balanced"),
        (_turn_everything, "fewest_moves"),
        (_keep_the_epoch, "one_owner_a_shard"),
        (_forget_who_leaves, "one_owner_a_shard"),
        (_write_over_the_first, "configuration_numbers_without_gaps"),
        (_rewrite_an_old_one, "configurations_agree"),
    ],
)
def test_a_controller_that_breaks_it_is_seen(
    monkeypatch: Patch, plant: Callable[[Patch], None], invariant: str
) -> None:
    plant(monkeypatch)
    violation = play(scenario_named("C-5"), 1).violation
    assert violation is not None
    assert violation.invariant == invariant


@given(
    st.lists(st.integers(0, 6).map(GroupId), min_size=1, max_size=14),
    st.lists(st.integers(1, 7).map(GroupId), min_size=1, max_size=6, unique=True),
)
def test_the_fewest_moves_are_those_of_the_best_of_all_quotas(
    targets: list[GroupId], groups: list[GroupId]
) -> None:
    least, larger = divmod(len(targets), len(groups))
    owned = sum(target != 0 for target in targets)
    stay = max(
        sum(min(targets.count(group), least + (group in lucky)) for group in groups)
        for lucky in combinations(groups, larger)
    )
    assert fewest_moves(targets, groups) == owned - stay


# The scripts' own assertions.


def _failed(script: Callable[[WorldStage], Script]) -> str:
    scenario = replace(scenario_named("C-1"), id="T-1", script=script)
    return play(scenario, 1).failed


def test_a_wrong_set_of_groups_fails_the_scenario() -> None:
    def script(stage: WorldStage) -> Script:
        operator, _ = yield from founded(stage)
        check(stage, (yield from operator.join(1)), [1, 2])

    assert "should be [1, 2]" in _failed(script)


def test_moves_that_nobody_carries_out_fail_the_scenario() -> None:
    def script(stage: WorldStage) -> Script:
        operator, carrier = yield from founded(stage)
        carrier.stopped = True
        yield from operator.join(1)
        yield from operator.join(2)
        yield from settled(operator)

    assert "moves were not over" in _failed(script)
