"""P-1: one proposer, three peers."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.decrees import decided, decree_scenario, start


@decree_scenario("P-1", "TestBasic", about="what one peer starts, all decide", nodes=3)
def single_proposer(stage: LessonStage) -> Script:
    """Start once."""
    start(stage, 1, 0, b"hello")
    yield from decided(stage, [0])
