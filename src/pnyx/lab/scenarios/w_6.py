"""W-6: a restarted primary is dead."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.views import expect, pinging, primary_and_backup, view_scenario


@view_scenario("W-6", about="a primary that pings 0 has lost its state: its backup leads")
def restarted_primary(stage: LessonStage) -> Script:
    """It pings all the time."""
    first, second = yield from primary_and_backup(stage, 2)
    first.ping(0)
    yield from pinging(first, second, times=2)
    yield from expect(stage, 3, second, first)
