"""D-6: all are killed; nothing answers; all come back with everything."""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.servants import Clerk, service_scenario

DOWN_US: Final = 3_000_000
UP_US: Final = 2_000_000


@service_scenario("D-6", "Test5BasicPersistence", about="what was done outlives all", nodes=3)
def persistence(stage: LessonStage) -> Script:
    """Append before and after a kill of all three."""
    clerk = Clerk(stage)
    yield from clerk.append(b"k1", b"x")
    yield from clerk.append(b"k1", b"y")
    stage.crash(*stage.numbers)
    asking = Clerk(stage)
    number = asking.send("get", b"k1")
    yield Sleep(DOWN_US)
    stage.check(asking.answer(number) is None, "nobody runs, and somebody answers")
    stage.restart(*stage.numbers)
    yield Sleep(UP_US)
    yield from clerk.append(b"k1", b"z")
    value = yield from clerk.get(b"k1")
    stage.check(value == b"xyz", f"got {value!r}")
