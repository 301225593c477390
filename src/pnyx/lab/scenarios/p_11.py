"""P-11: 49 instances, all peers propose, five at a time."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.decrees import decree_scenario
from pnyx.lab.scenarios.manyinstances import many


@decree_scenario("P-11", "TestMany", about="many instances, all decided on all", nodes=3)
def many_instances(stage: LessonStage) -> Script:
    """Five are open at a time."""
    yield from many(stage, 5)
