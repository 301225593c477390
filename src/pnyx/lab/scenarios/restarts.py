"""A replicated counter whose nodes all restart."""

from collections.abc import Generator
from typing import Any, Final

from pnyx.lab.scenario import Sleep, Stage, Step, Until
from pnyx.lab.scenarios.agreement import everybody
from pnyx.lab.scenarios.counter import (
    Tally,
    add,
    crash_all,
    one_inc,
    replicas_show,
    restart_all,
    returned,
)
from pnyx.lab.stage import WorldStage

COUNT: Final = 100
DOWN_US: Final = 1_000_000
RETURNED_US: Final = 11_000_000


def replay_all(stage: Stage, tally: Tally) -> Generator[Step, Any, None]:
    """Add a hundred, cut everybody's power, restart: the next one makes 101."""
    for _ in range(COUNT):
        yield from one_inc(stage, tally)
    crash_all(stage)
    yield Sleep(DOWN_US)
    restart_all(stage)
    after = yield from one_inc(stage, tally)
    stage.check(after in (tally.least, tally.most), f"the counter became {after}, not {tally}")
    yield from replicas_show(stage, tally)


def shut_down(stage: WorldStage) -> Generator[Step, Any, None]:
    """Wait for a hundred commands that change nothing, and stop everybody meanwhile."""
    calls = [add(stage, 1 + place % stage.nodes, 0) for place in range(COUNT)]
    yield Sleep(20_000)
    calls += [add(stage, 1 + place % stage.nodes, 0) for place in range(COUNT)]
    for node in everybody(stage):
        stage.stop(node)
    over = yield Until(returned(*calls), RETURNED_US)
    waiting = sum(not call.over for call in calls)
    stage.check(over, f"{waiting} waiters have not returned 11 s after the shutdown")
    untold = sum(call.lost for call in calls)
    stage.check(untold == 0, f"{untold} waiters were told nothing by a node that stopped in order")
