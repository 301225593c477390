"""W-9: who has no state never leads."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.views import DEAD_PINGS, pinging, primary_and_backup, seen, view_scenario


@view_scenario("W-9", about="if primary and backup die, nobody else becomes primary")
def uninitialised(stage: LessonStage) -> Script:
    """An idle server is all that is left."""
    first, second, third = yield from primary_and_backup(stage, 3)
    yield from pinging(first, second, third)
    yield from pinging(third, times=3 * DEAD_PINGS)
    view = yield from seen(stage)
    stage.check(view.primary != third.me, f"{view}: its primary has no state")
    stage.check(view.number == 2, f"{view}, although nobody may lead but who is dead")
