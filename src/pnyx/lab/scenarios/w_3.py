"""W-3: the backup takes over."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.views import DEAD_PINGS, expect, pinging, primary_and_backup, view_scenario


@view_scenario("W-3", about="a silent primary is replaced by its backup in view 3")
def backup_takes_over(stage: LessonStage) -> Script:
    """The primary pings no more."""
    _, second = yield from primary_and_backup(stage, 2)
    yield from pinging(second, times=DEAD_PINGS + 2)
    yield from expect(stage, 3, second, None)
