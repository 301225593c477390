"""Q-5: over lossy links each client's writes are there once."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.crowd import sequences
from pnyx.lab.scenarios.servants import service_scenario


@service_scenario(
    "Q-5",
    "TestUnreliable",
    about="over lossy links each client's writes are there once",
    nodes=3,
    unreliable=True,
)
def clients(stage: LessonStage) -> Script:
    """As many as in the original."""
    yield from sequences(stage, 5, 6)
