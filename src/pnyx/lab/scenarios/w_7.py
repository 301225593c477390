"""W-7: a dead backup is removed."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.views import DEAD_PINGS, expect, pinging, primary_and_backup, view_scenario


@view_scenario("W-7", about="a silent backup is backup no more")
def dead_backup(stage: LessonStage) -> Script:
    """The backup pings no more."""
    first, _ = yield from primary_and_backup(stage, 2)
    yield from pinging(first, times=DEAD_PINGS + 2)
    yield from expect(stage, 3, first, None)
