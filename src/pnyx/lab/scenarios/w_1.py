"""W-1: the first primary."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.views import expect, pinging, played, view_scenario


@view_scenario("W-1", about="whoever pings first is primary of view 1")
def first_primary(stage: LessonStage) -> Script:
    """Nobody, then one."""
    (first,) = played(stage, 1)
    yield from expect(stage, 0, None, None)
    yield from pinging(first, times=2)
    yield from expect(stage, 1, first, None)
