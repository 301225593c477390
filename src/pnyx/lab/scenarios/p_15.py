"""P-15: one side of a partition is a majority."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.decrees import decided, deciders, decree_scenario, start

LASTS_US = 2_000_000


@decree_scenario("P-15", "TestPartition", about="a majority decides without the others", nodes=5)
def majority(stage: LessonStage) -> Script:
    """One, three and one."""
    stage.partition((1, 3), (2, 4), (5,))
    start(stage, 2, 1, b"111")
    stage.partition((1,), (2, 3, 4), (5,))
    yield Sleep(LASTS_US)
    yield from decided(stage, [1], 3)
    stage.check(deciders(stage, 1) == [2, 3, 4], f"{deciders(stage, 1)} know the decision")
