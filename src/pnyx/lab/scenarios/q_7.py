"""Q-7: over lossy links appends to one key are there once, in order."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.crowd import same_key
from pnyx.lab.scenarios.servants import service_scenario


@service_scenario(
    "Q-7",
    "TestUnreliable",
    about="over lossy links appends to one key are there once, in order",
    nodes=3,
    unreliable=True,
)
def clients(stage: LessonStage) -> Script:
    """As many as in the original."""
    yield from same_key(stage, 5, 5)
