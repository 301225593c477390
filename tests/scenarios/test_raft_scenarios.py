"""The scenarios of Raft are all there, and the stage and the judges can say no.

`make lab` plays them: three fixed seeds and a fresh one.
"""

import os
from typing import Final

import pytest

from pnyx.lab.catalogue import all_scenarios, scenario_named
from pnyx.lab.scenario import Failed, Scenario, Script, Sleep
from pnyx.lab.scenarios.agreement import agree, one_leader
from pnyx.lab.stage import WorldStage, play

FRESH: Final = int(os.environ.get("PNYX_SEED") or int.from_bytes(os.urandom(4)))
"""Drawn for each run of the tests: what fails is replayed with PNYX_SEED."""
IDS: Final = [each.id for each in all_scenarios() if each.id.startswith(("R-", "M-"))]
WANTED: Final = 37
"""A1-A3, B1-B7, B9, B10, C1-C5, C7, C8, D1-D6, X1-X4, M-1 to M-8."""


def test_no_scenario_of_the_tables_is_missing() -> None:
    assert len(IDS) == WANTED


@pytest.mark.parametrize("identifier", ["R-A2", "R-B10", "R-C8", "R-D5", "R-X3", "M-4"])
def test_a_seed_gives_the_same_events_again(identifier: str) -> None:
    scenario = scenario_named(identifier)
    assert play(scenario, FRESH).hash == play(scenario, FRESH).hash


# The stage and the judges themselves: each must be able to say no.


def _played(script: object, **more: object) -> str:
    scenario = Scenario("T-1", "a test", "here", 3, script, **more)  # type: ignore[arg-type]
    return play(scenario, 1).failed


def test_a_command_that_cannot_be_agreed_fails_the_scenario() -> None:
    def script(stage: WorldStage) -> Script:
        leader = yield from one_leader(stage)
        for node in (1, 2, 3):
            if node != leader:
                stage.isolate(node)
        yield from agree(stage, b"x", expected=2)

    assert "was not agreed by 2 nodes" in _played(script)


def test_a_budget_that_is_overdrawn_fails_the_scenario() -> None:
    def script(stage: WorldStage) -> Script:
        yield from one_leader(stage)
        stage.budget("requests", stage.requests(), 1)

    assert "of 1 requests" in _played(script)


def test_a_script_beside_the_first_one_can_fail_the_scenario() -> None:
    def beside(stage: WorldStage) -> Script:
        yield from one_leader(stage)
        raise Failed("beside")

    def script(stage: WorldStage) -> Script:
        stage.spawn(beside(stage))
        yield from one_leader(stage)

    assert _played(script) == "beside"


def test_a_scenario_that_does_not_end_fails() -> None:
    def script(stage: WorldStage) -> Script:
        while True:
            yield Sleep(stage.election_us)

    assert _played(script, limit_us=2_000_000) == "not over after 2 simulated seconds"


def test_a_log_without_snapshots_breaks_the_budget_of_raft_state() -> None:
    kept = scenario_named("R-D1")
    without = Scenario("T-2", "a test", "here", 3, kept.script)
    assert "bytes of Raft state in turn" in play(without, 1).failed
