"""D-9: what is appended is kept once a replica."""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.diskuse import KEY, VALUE_BYTES, small_after_restart
from pnyx.lab.scenarios.servants import Clerk, service_scenario

MORE_BYTES: Final = 20_000
APPENDS: Final = 60


@service_scenario("D-9", "Test5AppendUse", about="appends take their own room, once", nodes=3)
def append_use(stage: LessonStage) -> Script:
    """Appends of 1,000 bytes."""
    clerk = Clerk(stage)
    for turn in range(APPENDS):
        yield from clerk.append(KEY, b"%03d." % turn * (VALUE_BYTES // 4))
    yield from small_after_restart(stage, 3 * APPENDS * VALUE_BYTES + MORE_BYTES)
