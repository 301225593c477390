"""The scenarios of shards on several groups, and of one group that has some of them.

`make lab` plays all of them: three fixed seeds and a fresh one.
"""

import os
from typing import Final

import pytest

from pnyx.lab.catalogue import all_scenarios, scenario_named
from pnyx.lab.invariants.invariant import Marks
from pnyx.lab.judge import scenario_judges, watched_scenario
from pnyx.lab.ownership import INVARIANTS
from pnyx.lab.scenarios.s_x2 import CELLS
from pnyx.lab.stage import play
from pnyx.machine.holdings import Holdings

FRESH: Final = int(os.environ.get("PNYX_SEED") or int.from_bytes(os.urandom(4)))
"""Drawn for each run of the tests: what fails is replayed with PNYX_SEED."""
CLASSROOM: Final = (
    *(f"S-{number}" for number in (1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13)),
    *(f"S-{number}" for number in ("X1", "X3", "X4A", "X4B", "X5A", "X5B", "X6", "X7")),
    *(f"H-{number}" for number in (1, 2, 3, 4, 5, "6A", "6B", 7, 8, 9)),
    *(f"H-{number}" for number in ("10A", "10B", "11A", "11B", 12, "14A", "14B", 15)),
)
LIGHT: Final = (
    "S-1",
    "S-2",
    "S-3",
    "S-4",
    "S-12",
    "S-13",
    "S-X3",
    "S-X4A",
    "S-X4B",
    "S-X5A",
    "S-X6",
    "S-X7",
    "H-1",
    "H-2",
    "H-4",
    "H-7",
    "H-8",
    "H-12",
)
HEAVY: Final = tuple(each for each in CLASSROOM if each not in LIGHT)
LIGHT_CELLS: Final = (6, 14, 19, 47, 48)
"""A leader of either side is lost at the freeze, and the destination's quorum; the controller all
along; the source for ever."""


def holds(identifier: str, seed: int) -> None:
    result = watched_scenario(scenario_named(identifier), seed)
    told = f"{identifier} with seed {seed} after {result.simulated_us} us: "
    assert result.violation is None, f"{told}{result.violation}"
    assert not result.failed, f"{told}{result.failed}"


def test_no_scenario_of_the_table_is_missing() -> None:
    there = [each.id for each in all_scenarios() if each.id.startswith(("S-", "H-"))]
    cells = [f"S-X2-{number}" for number in range(1, 1 + len(CELLS))]
    assert sorted(there) == sorted([*CLASSROOM, *cells])


@pytest.mark.parametrize("identifier", LIGHT)
def test_what_the_scenario_asserts_holds(identifier: str) -> None:
    holds(identifier, 1)


def test_what_a_scenario_asserts_holds_at_a_fresh_seed() -> None:
    holds("S-3", FRESH)


@pytest.mark.parametrize("cell", LIGHT_CELLS)
def test_a_cell_of_the_crash_matrix_holds(cell: int) -> None:
    holds(f"S-X2-{cell}", 1)


@pytest.mark.slow
@pytest.mark.parametrize("cell", range(1, 1 + len(CELLS)))
def test_a_cell_of_the_crash_matrix_holds_at_a_fresh_seed(cell: int) -> None:
    holds(f"S-X2-{cell}", FRESH)


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


def test_a_run_of_the_swarm_of_groups_is_drawn_by_its_seed_alone() -> None:
    scenario = scenario_named("S-X6")
    runs = [scenario.of(seed) for seed in range(30)]
    assert runs == [scenario.of(seed) for seed in range(30)]
    assert (
        len({(run.nodes, run.unreliable, len(run.layout.groups)) for run in runs if run.layout}) > 5
    )
    # Who judges is chosen before the seed is known.
    shards = {run.layout.shards for run in (scenario, *runs) if run.layout}
    assert len(shards) == 1


def test_a_group_that_serves_everything_fails_the_rejection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Holdings, "is_open", lambda *_: True)
    assert "used 10 of 5 clients answered" in play(scenario_named("S-2"), 1).failed
