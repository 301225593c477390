"""The judge of sessions sees what it is there for, and says no to exactly that."""

from collections.abc import Callable

import pytest

from pnyx.lab.catalogue import scenario_named
from pnyx.lab.invariants.catalogue import EXACTLY_ONCE, FIRST_ANSWER, LATE_REFUSED
from pnyx.lab.invariants.invariant import Invariant, Marks
from pnyx.lab.retries import INVARIANTS, TABLES_BOUNDED, Retries
from pnyx.lab.stage import play
from pnyx.lab.zoo import sessions as zoo
from pnyx.lab.zoo.mutant import Mutant, planted
from pnyx.machine.rows import KIND_DEADLINE, KIND_SESSION
from pnyx.machine.sessions import Sessions
from pnyx.machine.snapshots import SnapshotView

Patch = pytest.MonkeyPatch


def test_what_the_judge_looks_for_happens() -> None:
    marks = Marks()
    for seed in (1, 2):
        assert play(scenario_named("K-X2"), seed, [Retries(marks)]).ok
    assert marks.never(invariant.sometimes for invariant in INVARIANTS) == []


def test_a_seed_gives_the_same_events_again() -> None:
    assert play(scenario_named("K-X2"), 3).hash == play(scenario_named("K-X2"), 3).hash


@pytest.mark.parametrize(
    ("mutant", "invariant"),
    [
        (zoo.ACKNOWLEDGED, EXACTLY_ONCE),
        (zoo.LATE, LATE_REFUSED),
    ],
    ids=lambda each: each.name,
)
def test_a_write_done_twice_or_late_is_seen_without_any_other_judge(
    mutant: Mutant, invariant: Invariant
) -> None:
    with planted(mutant):
        violations = [play(scenario_named("K-X2"), seed).violation for seed in range(3)]
    assert invariant.name in {each.invariant for each in violations if each}


def _leave_sessions_out_of_snapshots(patch: Patch) -> None:
    right = SnapshotView.rows
    kinds = {KIND_SESSION, KIND_DEADLINE}
    patch.setattr(
        SnapshotView, "rows", lambda view: (row for row in right(view) if row[0][:1] not in kinds)
    )


def test_a_write_done_again_after_a_snapshot_is_seen(monkeypatch: Patch) -> None:
    _leave_sessions_out_of_snapshots(monkeypatch)
    violations = [play(scenario_named("K-X2"), seed).violation for seed in range(3)]
    assert EXACTLY_ONCE.name in {each.invariant for each in violations if each}


def _tell_another_answer(patch: Patch) -> None:
    right = Sessions.answer
    patch.setattr(Sessions, "answer", lambda *words: right(*words) + 1)  # type: ignore[operator]


def _forget_nothing(patch: Patch) -> None:
    patch.setattr(Sessions, "sweep", lambda *_: None)


def _count_nobody(patch: Patch) -> None:
    patch.setattr(Sessions, "_count", lambda *_: None)


@pytest.mark.parametrize(
    ("plant", "invariant"),
    [
        (_tell_another_answer, FIRST_ANSWER),
        (_forget_nothing, TABLES_BOUNDED),
        (_count_nobody, TABLES_BOUNDED),
    ],
)
def test_another_answer_and_a_growing_table_are_seen(
    monkeypatch: Patch, plant: Callable[[Patch], None], invariant: Invariant
) -> None:
    plant(monkeypatch)
    violation = play(scenario_named("K-X2"), 1).violation
    assert violation is not None
    assert violation.invariant == invariant.name
