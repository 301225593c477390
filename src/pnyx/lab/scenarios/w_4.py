"""W-4: a restarted server becomes backup."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.views import DEAD_PINGS, expect, pinging, primary_and_backup, view_scenario


@view_scenario("W-4", about="a server that returns is backup in view 4")
def restarted_becomes_backup(stage: LessonStage) -> Script:
    """The old primary comes back with nothing."""
    first, second = yield from primary_and_backup(stage, 2)
    yield from pinging(second, times=DEAD_PINGS + 2)
    yield from expect(stage, 3, second, None)
    second.ping(3)
    first.ping(0)
    yield from pinging(first, second, times=2)
    yield from expect(stage, 4, second, first)
