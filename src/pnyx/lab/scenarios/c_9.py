"""C-9: five groups join and leave in one call, and no shard moves without need."""

from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.growth import grow_and_shrink
from pnyx.lab.scenarios.operators import controller_scenario, founded
from pnyx.lab.stage import WorldStage


@controller_scenario(
    "C-9",
    about="a join and a leave of five groups move exactly what groups have too much",
    source="MIT 6.824 lab 4A, TestMulti: minimal transfers (which looked at groups it never had)",
)
def five_at_once(stage: WorldStage) -> Script:
    """Beside three groups, five more come and go together."""
    operator, carrier = yield from founded(stage)
    yield from grow_and_shrink(stage, operator, carrier, [1, 2, 3], [range(4, 9)])
