"""C-7: several groups join or leave in one call, which makes one configuration."""

from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.operators import (
    check,
    controller_scenario,
    founded,
    placements,
    settled,
    vacate,
)
from pnyx.lab.stage import WorldStage


@controller_scenario(
    "C-7",
    about="a call with several groups makes one configuration, right after each",
    source="MIT 6.824 lab 4A, TestMulti: multi-group join/leave",
)
def several(stage: WorldStage) -> Script:
    """Join 1 and 2, join 3, leave 1 and 3, leave 2."""
    operator, carrier = yield from founded(stage)
    check(stage, (yield from operator.join(1, 2)), [1, 2])
    newest = yield from operator.join(3)
    check(stage, newest, [1, 2, 3])
    stage.check(newest.placements == placements(1, 2, 3), f"nodes of {newest} are not as named")
    yield from settled(operator)
    check(stage, (yield from operator.leave(1, 3)), [2])
    yield from vacate(operator)
    newest = yield from operator.leave(2)
    check(stage, newest, [])
    stage.budget("configurations", newest.number, 4, 4)
    carrier.stopped = True
