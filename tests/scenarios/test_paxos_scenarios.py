"""The old Paxos labs' tests are all there, and what they claim to see was seen.

`make lab` plays them: three fixed seeds and a fresh one.
"""

import pytest

from pnyx.consensus.engines import EngineName
from pnyx.lab.catalogue import all_scenarios, scenario_named
from pnyx.lab.judge import watched_scenario
from pnyx.lab.lessons import verdicts
from pnyx.lab.lessons.decreejudge import DecreeJudge
from pnyx.lab.lessons.judge import Judges
from pnyx.lab.lessons.servicejudge import ServiceJudge
from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Scenario, Script, Sleep
from pnyx.lab.scenarios.decrees import DECREES
from pnyx.lab.variants import on_engine
from pnyx.lab.zoo.catalogue import named
from pnyx.lab.zoo.mutant import planted

LIBRARY = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 19, 20}
SERVICE = {1, 2, 3, 4, 5, 6, 7, 9}
SHARDS = {1, 2, 3, 4, 5}
DISKS = {*SHARDS, 6, 7, 8, 9, 10, 11, 12, 14}
QUICK = [
    "P-5",
    "P-6",
    "P-8",
    "P-9",
    "P-10",
    "P-16",
    "P-17",
    "Q-1",
    "Q-3",
    "Q-4",
    "D-6",
    "D-8",
    "D-14",
]


def test_no_test_of_the_old_labs_is_missing() -> None:
    ids = {each.id for each in all_scenarios()}
    assert {f"P-{number}" for number in LIBRARY} <= ids
    assert {f"Q-{number}" for number in SERVICE} <= ids
    assert {f"T-{number}" for number in SHARDS} <= ids
    assert {f"D-{number}" for number in DISKS} <= ids


@pytest.mark.parametrize("name", QUICK)
def test_a_scenario_of_the_old_labs_holds(name: str) -> None:
    result = watched_scenario(scenario_named(name), 11)
    assert result.ok, result.failed or result.violation


@pytest.mark.parametrize("name", ["T-1", "T-3", "D-3"])
def test_a_scenario_of_shards_holds_on_multipaxos(name: str) -> None:
    result = watched_scenario(scenario_named(f"{name}@multipaxos"), 11)
    assert result.ok, result.failed or result.violation


@pytest.mark.slow
@pytest.mark.parametrize("engine", EngineName)
@pytest.mark.parametrize("name", ["T-2", "T-4", "T-5", "D-1", "D-2", "D-4", "D-5"])
def test_a_longer_scenario_of_shards_holds_on_both_engines(name: str, engine: EngineName) -> None:
    result = watched_scenario(scenario_named(on_engine(name, engine)), 11)
    assert result.ok, result.failed or result.violation


def test_a_clerk_whom_the_controller_does_not_answer_asks_again() -> None:
    """In this run the first answer that says where a shard is was lost on the way."""
    result = watched_scenario(scenario_named("D-5"), 383930695177)
    assert result.ok, result.failed or result.violation


def test_the_same_seed_is_the_same_run_and_another_one_another() -> None:
    scenario = scenario_named("MULTI-INSTANCE")
    first, again, other = (watched_scenario(scenario, seed).hash for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_what_invariants_are_about_is_reached_by_the_storms() -> None:
    reached: set[str] = set()
    for name, seeds in (("SINGLE-DECREE", range(6)), ("MULTI-INSTANCE", range(3))):
        for seed in seeds:
            stage = LessonStage(scenario_named(name), seed)
            assert stage.run().ok
            judge = stage.judge
            judges = judge.judges if isinstance(judge, Judges) else (judge,)
            for each in judges:
                assert isinstance(each, DecreeJudge | ServiceJudge)
                reached |= set(each.marks.counts)
    assert {each.sometimes.name for each in (*verdicts.PAXOS, *verdicts.SERVICE)} == reached


def test_a_failure_tells_what_happened_last() -> None:
    with planted(named("P4")):
        result = watched_scenario(scenario_named("SINGLE-DECREE"), 1)
    assert result.violation is not None
    assert len(result.story) > 10
    assert any("hears n" in line for line in result.story)


def test_a_host_that_nobody_can_call_hears_answers_only() -> None:
    def script(stage: LessonStage) -> Script:
        stage.deafen(3)
        yield Sleep(1)
        stage.host(1).act(lambda: stage.host(1).node.peer.start(0, b"x"))  # type: ignore[union-attr]
        yield Sleep(1_000_000)
        stage.check(stage.host(3).received == 0, "it was called")
        stage.host(3).act(lambda: stage.host(3).node.peer.start(0, b"y"))  # type: ignore[union-attr]
        yield Sleep(1_000_000)
        known = stage.host(3).node.peer.status(0).value  # type: ignore[union-attr]
        stage.check(known == b"x", f"it knows {known!r}")

    scenario = Scenario("T-1", "a test", "here", 3, script, lesson=DECREES)
    assert watched_scenario(scenario, 1).ok


@pytest.mark.parametrize("name", ["R-X1", "R-X2"])
def test_whoever_lacks_entries_may_lead_and_gets_them_with_the_promises(name: str) -> None:
    result = watched_scenario(scenario_named(f"{name}@multipaxos"), 1065170570192)
    assert (result.violation, result.failed) == (None, "")
