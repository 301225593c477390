"""Q-6: over lossy links clients see one order."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.crowd import one_key
from pnyx.lab.scenarios.servants import service_scenario


@service_scenario(
    "Q-6",
    "TestUnreliable",
    about="over lossy links clients see one order",
    nodes=3,
    unreliable=True,
)
def clients(stage: LessonStage) -> Script:
    """As many as in the original."""
    yield from one_key(stage, 15, 20)
