"""M-2: fifty increments at once each take effect once."""

from typing import Final

from pnyx.lab.scenario import Script, Stage, Until, scenario
from pnyx.lab.scenarios.counter import (
    INC_US,
    Tally,
    add,
    one_inc,
    replicas_show,
    returned,
    sum_after,
)

COUNT: Final = 50


@scenario(
    "M-2",
    about="increments at once each take effect once, and each gets its own answer",
    source="MIT 6.5840 lab 4A, TestConcurrent4A",
    nodes=3,
    real=True,
)
def concurrent(stage: Stage) -> Script:
    """Add one at all nodes, fifty times at once."""
    tally = Tally()
    first = yield from one_inc(stage, tally)
    calls = [add(stage, 1 + place % stage.nodes, 1) for place in range(COUNT)]
    over = yield Until(returned(*calls), INC_US)
    stage.check(over, f"{sum(call.over for call in calls)} of {COUNT} increments were answered")
    sums = [sum_after(call) for call in calls]
    stage.check(
        set(sums) == set(range(first + 1, first + 1 + COUNT)), f"increments at once made {sums}"
    )
    tally = Tally(first + COUNT, first + COUNT)
    yield from replicas_show(stage, tally)
