"""W-5: an idle third server becomes backup in one change."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.views import DEAD_PINGS, expect, pinging, primary_and_backup, view_scenario


@view_scenario("W-5", about="primary dead, backup primary, idle server backup: one view")
def idle_is_promoted(stage: LessonStage) -> Script:
    """Three servers; the primary pings no more."""
    _, second, third = yield from primary_and_backup(stage, 3)
    yield from pinging(second, third, times=DEAD_PINGS + 2)
    yield from expect(stage, 3, second, third)
