"""The scenarios of shards on several groups, and of one group that has some of them.

`make lab` plays all of them: three fixed seeds and a fresh one.
"""

import os
from dataclasses import replace
from typing import Final

import pytest

from pnyx.lab.catalogue import all_scenarios, scenario_named
from pnyx.lab.invariants.invariant import Marks
from pnyx.lab.judge import scenario_judges, watched_scenario
from pnyx.lab.ownership import INVARIANTS
from pnyx.lab.stage import play
from pnyx.machine.transactions import KEYS

FRESH: Final = int(os.environ.get("PNYX_SEED") or int.from_bytes(os.urandom(4)))
"""Drawn for each run of the tests: what fails is replayed with PNYX_SEED."""
NUMBERS: Final = (*(1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13), "X1")
LIGHT: Final = ("S-1", "S-2", "S-3", "S-4", "S-12", "S-13")
HEAVY: Final = ("S-6", "S-7", "S-8", "S-9", "S-10", "S-11", "S-X1")


def holds(identifier: str, seed: int) -> None:
    result = watched_scenario(scenario_named(identifier), seed)
    told = f"{identifier} with seed {seed} after {result.simulated_us} us: "
    assert result.violation is None, f"{told}{result.violation}"
    assert not result.failed, f"{told}{result.failed}"


def test_no_scenario_of_the_table_is_missing() -> None:
    there = [each.id for each in all_scenarios() if each.id.startswith("S-")]
    assert sorted(there) == sorted(f"S-{number}" for number in NUMBERS)
    assert sorted(there) == sorted(LIGHT + HEAVY)


@pytest.mark.parametrize("identifier", LIGHT)
def test_what_the_scenario_asserts_holds(identifier: str) -> None:
    holds(identifier, 1)


def test_what_a_scenario_asserts_holds_at_a_fresh_seed() -> None:
    holds("S-3", FRESH)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, FRESH])
@pytest.mark.parametrize("identifier", HEAVY)
def test_what_the_heavy_scenario_asserts_holds(identifier: str, seed: int) -> None:
    holds(identifier, seed)


@pytest.mark.slow
def test_what_the_judges_look_for_happens() -> None:
    marks = Marks()
    for identifier in ("S-4", "S-10", "S-13"):
        scenario = scenario_named(identifier)
        assert play(scenario, 1, scenario_judges(scenario, marks)).ok
    assert marks.never(invariant.sometimes for invariant in INVARIANTS) == []


def test_a_group_that_serves_everything_fails_the_rejection() -> None:
    scenario = replace(scenario_named("S-2"), id="T-1", machine=KEYS)
    assert "used 10 of 5 clients answered" in play(scenario, 1).failed
