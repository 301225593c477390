"""D-8: what is overwritten is not kept."""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.diskuse import KEY, VALUE_BYTES, small_after_restart
from pnyx.lab.scenarios.servants import Clerk, service_scenario

FILES_BYTES: Final = 20_000
PUTS_MIN: Final = 100


@service_scenario("D-8", "Test5DiskUse", about="a hundred puts to a key take a key's room", nodes=3)
def disk_use(stage: LessonStage) -> Script:
    """Puts of 1,000 bytes and appends of one, each read."""
    clerk = Clerk(stage)
    value = b""
    for turn in range(PUTS_MIN + stage.below(20, "puts")):
        value = b"%03d" % turn * (VALUE_BYTES // 3)
        yield from clerk.put(KEY, value)
        found = yield from clerk.get(KEY)
        stage.check(found == value, "a put is not there")
    for _ in range(PUTS_MIN // 10):
        yield from clerk.append(KEY, b"z")
        value += b"z"
        found = yield from clerk.get(KEY)
        stage.check(found == value, "an append is not there")
    yield from small_after_restart(stage, FILES_BYTES)
