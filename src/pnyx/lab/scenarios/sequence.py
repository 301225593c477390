"""One client writes one thing after the other; how long does each take? (K-18, K-X1)."""

from collections.abc import Generator
from typing import Any

from pnyx.lab.scenario import Scenario, Script, Stage, Step
from pnyx.lab.scenarios.clients import PATIENCE_US, first_leader, over
from pnyx.lab.stage import WorldStage, play
from pnyx.machine.commands import Append, Get
from pnyx.replica.requests import Done

KEY = b"k"


def writes(stage: Stage, count: int) -> Generator[Step, Any, float]:
    """Append so many times without a pause, and return the mean time of one in ms."""
    yield from first_leader(stage)
    node = stage.leader()
    assert node is not None, "there is a leader"
    expected = b""
    call = stage.call(node, Get(KEY))
    yield over(call, PATIENCE_US)
    spent_us = 0
    for number in range(count):
        token = b"x 0 %d y" % number
        expected += token
        began_us = stage.now_us
        call = stage.call(node, Append(KEY, token))
        yield over(call, PATIENCE_US)
        stage.check(isinstance(call.answer, Done), f"write {number} was told {call.answer}")
        spent_us += call.answered_us - began_us
    call = stage.call(node, Get(KEY))
    yield over(call, PATIENCE_US)
    stage.check(call.answer == Done((expected,)), "some write is not there")
    return spent_us / count / 1_000


def beside(stage: WorldStage, scenario: Scenario) -> None:
    """Play another cluster at the same seed, to its end; what it used counts here."""
    result = play(scenario, stage.seed)
    stage.budgets += result.budgets
    stage.check(result.ok, f"{scenario.id}: {result.failed or result.violation}")


def speed(stage: Stage, count: int, ms_max: float) -> Script:
    """Write, and keep to a mean time."""
    mean_ms = yield from writes(stage, count)
    stage.budget("ms per operation", mean_ms, ms_max)
