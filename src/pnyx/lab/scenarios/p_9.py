"""P-9: Done does not lower Max, and a decided instance that is started again stays decided."""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.decrees import decided, decree_scenario, done, highest, start

COUNT: Final = 10
LATER_US: Final = 2_000_000


@decree_scenario("P-9", "TestDoneMax", about="Max() knows what was forgotten", nodes=3)
def done_max(stage: LessonStage) -> Script:
    """Eleven instances; all are done with them; the last one is started again."""
    for seq in range(COUNT + 1):
        start(stage, 1, seq, b"x")
        yield from decided(stage, [seq])
    for number in stage.numbers:
        done(stage, number, COUNT)
    for number in stage.numbers:
        start(stage, number, COUNT, b"xx")
    yield Sleep(LATER_US)
    found = [highest(stage, number) for number in stage.numbers]
    stage.check(found == [COUNT] * 3, f"Max() is {found}, not {COUNT}")
