"""Q-3: the instances of megabytes are freed."""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.servants import Clerk, held_bytes, service_scenario

COUNT: Final = 10
VALUE_BYTES: Final = 1_000_000
LATER_US: Final = 1_000_000


@service_scenario("Q-3", "TestDone", about="what was applied everywhere is freed", nodes=3)
def freed(stage: LessonStage) -> Script:
    """Twice ten values of a megabyte, then small ones at each replica."""
    clerk = Clerk(stage)
    before = held_bytes(stage)
    for turn in range(2):
        for item in range(COUNT):
            key = b"%d" % item
            yield from clerk.put(key, b"%d" % turn * VALUE_BYTES)
            value = yield from clerk.get(key)
            stage.check(len(value) == VALUE_BYTES, f"{key!r} has {len(value)} bytes")
    each = [Clerk(stage, (number,)) for number in stage.numbers]
    for _ in range(2):
        for one in each:
            yield from one.put(b"a", b"aa")
            yield from one.get(b"a")
    yield Sleep(LATER_US)
    allowed = before + 3 * COUNT * VALUE_BYTES * 2
    stage.budget("bytes of values", held_bytes(stage), allowed)
    stage.budget("of them instances", held_bytes(stage) - 3 * COUNT * VALUE_BYTES, VALUE_BYTES)
