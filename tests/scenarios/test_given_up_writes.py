"""Is what clients with sessions say of writes that they gave up ever wrong, in the Lab?"""

import pytest

from pnyx.lab.catalogue import scenario_named
from pnyx.lab.invariants.checker import Invariants
from pnyx.lab.scenarios import k_x3
from pnyx.lab.scenarios.tokens import Said
from pnyx.lab.stage import play
from pnyx.transport.verdict import Heard, Trail


def test_not_applied_is_never_said_of_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    heaps: list[Said] = []

    class Remembered(Said):
        def __init__(self) -> None:
            super().__init__()
            heaps.append(self)

    monkeypatch.setattr(k_x3, "Said", Remembered)
    for seed in (2, 4):
        result = play(scenario_named("K-X3"), seed, [Invariants()])
        told = f"seed {seed}: {result.violation or result.failed}"
        assert result.violation is None, told
        assert not result.failed, told
    assert sum(len(said.unknown) for said in heaps) > 0, "some outcomes were unknown"
    assert sum(len(said.not_applied) for said in heaps) > 0, "some writes were surely not done"


def test_a_client_that_forgets_its_doubts_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(trail: Trail, heard: Heard) -> None:
        trail.is_doubtful = heard is Heard.DOUBT and not trail.changes

    monkeypatch.setattr(Trail, "heard", forget)
    results = [play(scenario_named("K-X3"), seed, []) for seed in (1, 2, 3)]
    assert any("said to be not applied, and are there" in result.failed for result in results)


def test_a_refusal_is_not_the_end_while_an_earlier_attempt_is_on_its_way() -> None:
    for seed in (0, 1):
        result = play(scenario_named("K-X4"), seed, [Invariants()])
        assert result.ok, f"seed {seed}: {result.violation or result.failed}"


def test_a_client_that_takes_a_refusal_for_the_end_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ends = {Heard.LATE, Heard.REFUSED}
    monkeypatch.setattr(Trail, "ends_with", lambda _trail, heard: heard in ends)
    result = play(scenario_named("K-X4"), 0, [])
    assert "said to be not applied, and are there" in result.failed
