"""C-4: ten operators change configurations at once."""

from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.crowds import crowd
from pnyx.lab.scenarios.operators import controller_scenario, founded
from pnyx.lab.stage import WorldStage


@controller_scenario(
    "C-4",
    about="ten operators at once end with the ten groups that they let stay, balanced",
    source="MIT 6.824 lab 4A, TestBasic: concurrent leave/join",
)
def concurrent(stage: WorldStage) -> Script:
    """Each lets two groups join and one of them leave."""
    operator, carrier = yield from founded(stage)
    yield from crowd(stage, operator, 10)
    carrier.stopped = True
