"""Every scenario of a group that has some of the shards."""

import os
from dataclasses import replace
from typing import Final

import pytest

from pnyx.lab.catalogue import all_scenarios, scenario_named
from pnyx.lab.invariants.checker import Invariants
from pnyx.lab.stage import play
from pnyx.machine.transactions import KEYS

FRESH: Final = int(os.environ.get("PNYX_SEED") or int.from_bytes(os.urandom(4)))
"""Drawn for each run of the tests: what fails is replayed with PNYX_SEED."""
IDS: Final = [each.id for each in all_scenarios() if each.id.startswith("S-")]


@pytest.mark.parametrize("seed", [1, FRESH])
@pytest.mark.parametrize("identifier", IDS)
def test_what_the_scenario_asserts_holds(identifier: str, seed: int) -> None:
    result = play(scenario_named(identifier), seed, [Invariants()])
    told = f"{identifier} with seed {seed} after {result.simulated_us} us: "
    assert result.violation is None, f"{told}{result.violation}"
    assert not result.failed, f"{told}{result.failed}"


def test_a_group_that_serves_everything_fails_the_rejection() -> None:
    scenario = replace(scenario_named("S-2"), id="T-1", machine=KEYS)
    assert "used 10 of 5 clients answered" in play(scenario, 1).failed
