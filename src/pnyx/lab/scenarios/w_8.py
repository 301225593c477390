"""W-8: a view waits for its primary."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.views import DEAD_PINGS, expect, pinging, primary_and_backup, view_scenario


@view_scenario("W-8", about="no view ends before its primary has said that it acts in it")
def waits_for_the_primary(stage: LessonStage) -> Script:
    """The new primary never says so, and dies."""
    _, second, third = yield from primary_and_backup(stage, 3)
    yield from pinging(second, third, times=DEAD_PINGS + 2)
    yield from expect(stage, 3, second, third)
    yield from pinging(third, times=3 * DEAD_PINGS)
    yield from expect(stage, 3, second, third)
