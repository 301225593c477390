"""P-2: many proposers, one value."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.decrees import decided, decree_scenario, start, status


@decree_scenario("P-2", "TestBasic", about="three peers that want the same get it", nodes=3)
def same_value(stage: LessonStage) -> Script:
    """All start the same."""
    for number in stage.numbers:
        start(stage, number, 1, b"77")
    yield from decided(stage, [1])
    stage.check(status(stage, 1, 1).value == b"77", "nobody wanted what was decided")
