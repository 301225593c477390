"""C-8: ten operators at once, several groups a call."""

from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.crowds import crowd
from pnyx.lab.scenarios.operators import controller_scenario, founded
from pnyx.lab.stage import WorldStage


@controller_scenario(
    "C-8",
    about="ten operators with three groups a call end with the ten that stay, balanced",
    source="MIT 6.824 lab 4A, TestMulti: concurrent multi leave/join",
)
def concurrent_several(stage: WorldStage) -> Script:
    """Each lets three groups join at once and two of them leave."""
    operator, carrier = yield from founded(stage)
    yield from crowd(stage, operator, 10, together=True)
    carrier.stopped = True
