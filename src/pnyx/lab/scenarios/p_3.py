"""P-3: many proposers, each with a value of its own."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.decrees import decided, decree_scenario, start, status


@decree_scenario("P-3", "TestBasic", about="of three wanted values one is decided", nodes=3)
def different_values(stage: LessonStage) -> Script:
    """All start, each with its own value."""
    values = {number: b"%d" % (99 + number) for number in stage.numbers}
    for number, value in values.items():
        start(stage, number, 2, value)
    yield from decided(stage, [2])
    found = {status(stage, number, 2).value for number in stage.numbers}
    stage.check(len(found) == 1, f"peers decided {found}")
    stage.check(found <= set(values.values()), f"nobody wanted {found}")
