"""Scenarios of connectivity, pauses, clocks, disks, members: their helpers must be able to say no.

`make lab` plays them: three fixed seeds and a fresh one.
"""

import os
from typing import Final

import pytest

from pnyx.ids import NodeId
from pnyx.lab.catalogue import all_scenarios, scenario_named
from pnyx.lab.judge import watched_scenario
from pnyx.lab.scenario import Scenario, Script, Sleep
from pnyx.lab.scenarios.agreement import everybody
from pnyx.lab.scenarios.changing import changed, is_gone, node_of
from pnyx.lab.scenarios.connectivity import mend_and_judge
from pnyx.lab.scenarios.grouptime import watched
from pnyx.lab.scenarios.load import began, converge, over, served
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import Get
from pnyx.replica.changes import Promote
from pnyx.replica.diskspace import DiskSpace

FRESH: Final = int(os.environ.get("PNYX_SEED") or int.from_bytes(os.urandom(4)))
"""Drawn for each run of the tests: what fails is replayed with PNYX_SEED."""
IDS: Final = [each.id for each in all_scenarios() if each.id.startswith("X-")]
WANTED: Final = 37
"""C1-C10 connectivity, T1-T7 pauses and clocks, D1-D6 disks, E1-E12 members, P1 messages, P2 two
engines."""


def test_no_scenario_is_missing() -> None:
    assert len(IDS) == WANTED


@pytest.mark.parametrize("identifier", ["X-C1", "X-T1", "X-E12"])
def test_a_seed_gives_the_same_events_again(identifier: str) -> None:
    scenario = scenario_named(identifier)
    assert watched_scenario(scenario, FRESH).hash == watched_scenario(scenario, FRESH).hash


def test_interrupted_changes_are_seen_rolled_back_and_completed() -> None:
    scenario = scenario_named("X-E7")
    rolled_back = {
        budget.used
        for seed in range(1, 9)
        for budget in watched_scenario(scenario, seed).budgets
        if budget.name == "changes rolled back"
    }
    assert rolled_back == {0, 1}


def test_a_new_leader_hears_at_once_who_is_short_of_space() -> None:
    # Seed 100 of X-D5: two leaders with full disks handed over to each other, each before it had
    # heard of the other, and the third took writes for a second.
    disk = DiskSpace(NodeId(1), low_here=True)
    assert disk.report_due(0)
    assert not disk.report_due(10)
    disk.follows_another()
    assert disk.report_due(10)
    assert watched_scenario(scenario_named("X-D5"), 100).ok


# The helpers.


def _played(script: object, **more: object) -> tuple[str, str]:
    scenario = Scenario("T-1", "a test", "here", 3, script, **more)  # type: ignore[arg-type]
    result = watched_scenario(scenario, 1)
    return result.failed, "" if result.violation is None else result.violation.invariant


def test_a_read_of_what_is_outdated_breaks_an_invariant() -> None:
    def script(stage: WorldStage) -> Script:
        load, leader = yield from began(stage)
        yield over(load.write(leader, b"k"))
        read = load.ask(leader, Get(b"k"))
        yield over(read)
        yield over(load.write(leader, b"k"))
        # As a node would that answers from what it saw before.
        late = load.ask(leader, Get(b"k"))
        assert read.answer is not None
        stage.world.watches.answered(stage.process(leader), late, read.answer)

    assert _played(script) == ("", "reads_are_current")


def test_nodes_that_cannot_serve_fail_the_scenario() -> None:
    def script(stage: WorldStage) -> Script:
        load, leader = yield from began(stage)
        stage.isolate(leader)
        yield from served(load, everybody(stage), 3_000_000, each=True)

    failed, _ = _played(script)
    assert "acknowledged no write within 3 s" in failed


def test_members_that_differ_in_the_end_fail_the_scenario() -> None:
    def script(stage: WorldStage) -> Script:
        load, leader = yield from began(stage)
        stage.isolate(leader % 3 + 1)
        yield Sleep(stage.election_us)
        yield from converge(load)

    failed, _ = _played(script)
    assert "did not come to the same state" in failed


def test_a_service_that_comes_back_late_breaks_a_budget() -> None:
    def script(stage: WorldStage) -> Script:
        load, leader = yield from began(stage)
        stage.pause(leader % 3 + 1)

        def resume() -> Script:
            yield Sleep(3 * stage.election_us)
            stage.resume(leader % 3 + 1)

        stage.spawn(resume())
        yield from mend_and_judge(load)

    failed, _ = _played(script)
    assert "us until every node serves after the heal" in failed


def test_a_change_that_is_never_done_fails_the_scenario() -> None:
    def script(stage: WorldStage) -> Script:
        yield from began(stage)
        yield from changed(stage, Promote(node_of(stage, 1) + 1), 500_000)  # type: ignore[arg-type]

    failed, _ = _played(script)
    assert "was not done within 0.5 s" in failed
    assert "not_member" in failed


def test_a_member_that_runs_on_after_it_should_have_stopped_fails_the_scenario() -> None:
    def script(stage: WorldStage) -> Script:
        _, leader = yield from began(stage)
        yield from is_gone(stage, leader, "was removed")

    failed, _ = _played(script)
    assert "is no member and runs on" in failed


def test_a_clock_that_goes_back_fails_the_scenario() -> None:
    def script(stage: WorldStage) -> Script:
        load, leader = yield from began(stage)
        time = watched(stage)
        yield Sleep(100_000)
        where = (leader, stage.process(leader).life)
        time.shown[where] += 10_000
        yield from converge(load)

    failed, _ = _played(script)
    assert "went back" in failed
