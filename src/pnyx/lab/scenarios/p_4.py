"""P-4: instances are started in any order."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.decrees import decided, decree_scenario, highest, start


@decree_scenario("P-4", "TestBasic", about="instances need no order", nodes=3)
def out_of_order(stage: LessonStage) -> Script:
    """Start 7, 6, 5, then 4 and 3."""
    for seq in (7, 6, 5):
        start(stage, 1, seq, b"x%d" % seq)
    yield from decided(stage, [7])
    start(stage, 1, 4, b"x4")
    start(stage, 2, 3, b"x3")
    yield from decided(stage, [6, 5, 4, 3])
    stage.check(highest(stage, 1) == 7, f"Max() is {highest(stage, 1)}, not 7")
