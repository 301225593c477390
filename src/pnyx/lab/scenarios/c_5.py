"""C-5: five groups join and leave one by one, and no shard moves without need."""

from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.growth import grow_and_shrink
from pnyx.lab.scenarios.operators import controller_scenario, founded
from pnyx.lab.stage import WorldStage


@controller_scenario(
    "C-5",
    about="five joins and five leaves move exactly what groups have too much",
    source="MIT 6.824 lab 4A, TestBasic: minimal transfers (which looked at groups it never had)",
)
def one_at_a_time(stage: WorldStage) -> Script:
    """Beside two groups, five more come and go."""
    operator, carrier = yield from founded(stage)
    steps = [[group] for group in range(3, 8)]
    yield from grow_and_shrink(stage, operator, carrier, [1, 2], steps)
