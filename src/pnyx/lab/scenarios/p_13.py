"""P-13: 49 instances over lossy links, all peers propose, three at a time."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.decrees import decree_scenario
from pnyx.lab.scenarios.manyinstances import many


@decree_scenario(
    "P-13",
    "TestManyUnreliable",
    about="many instances over lossy links, all decided on all",
    nodes=3,
    unreliable=True,
)
def many_unreliable(stage: LessonStage) -> Script:
    """Three are open at a time."""
    yield from many(stage, 3)
