"""P-14: no side of a partition is a majority."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.decrees import BLOCKED_US, deciders, decree_scenario, start


@decree_scenario("P-14", "TestPartition", about="without a majority nothing is decided", nodes=5)
def no_majority(stage: LessonStage) -> Script:
    """Two, two and one."""
    stage.partition((1, 3), (2, 4), (5,))
    start(stage, 2, 1, b"111")
    yield Sleep(BLOCKED_US)
    stage.check(not deciders(stage, 1), f"{deciders(stage, 1)} know a decision")
