"""The view service's and primary-backup's tests are all there; what the lesson shows it shows.

`make lab` plays them: three fixed seeds and a fresh one.
"""

import pytest

from pnyx.lab.catalogue import all_scenarios, scenario_named
from pnyx.lab.judge import watched_scenario
from pnyx.lab.lessons.backupjudge import BACKUP, BackupJudge
from pnyx.lab.lessons.stage import LessonStage

IDS = [each.id for each in all_scenarios() if each.id.startswith(("W-", "B-"))]


def test_no_test_of_the_old_lab_is_missing() -> None:
    assert {f"W-{number}" for number in range(1, 10)} <= set(IDS)
    assert {f"B-{number}" for number in range(1, 10)} <= set(IDS)


@pytest.mark.parametrize("name", [name for name in IDS if not name.startswith("B-6")])
def test_a_scenario_of_the_old_lab_holds(name: str) -> None:
    result = watched_scenario(scenario_named(name), 11)
    assert result.ok, result.failed or result.violation


def test_what_the_invariants_are_about_is_reached_by_the_storm() -> None:
    reached: set[str] = set()
    for seed in range(3):
        stage = LessonStage(scenario_named("PRIMARY-BACKUP"), seed)
        assert stage.run().ok
        assert isinstance(stage.judge, BackupJudge)
        reached |= set(stage.judge.marks.counts)
    assert {each.sometimes.name for each in BACKUP} == reached


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("B-X1", 'returned "old", but put #1'),
        ("B-X2", "2 of 3 servers live"),
        ("B-X3", "is primary of view 1 and"),
    ],
)
def test_what_primary_backup_cannot_do_is_told(name: str, says: str) -> None:
    result = watched_scenario(scenario_named(name), 1)
    assert result.ok
    assert any(says in line for line in result.story)
