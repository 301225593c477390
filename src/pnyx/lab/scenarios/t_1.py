"""T-1: groups join one by one and leave one by one, and all is rewritten in between."""

from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.fleet import CLASSROOM
from pnyx.lab.scenarios.veterans import CALM_US, Hurts, begun, rewritten, veteran
from pnyx.lab.stage import WorldStage


def join_and_leave(stage: WorldStage, hurting: type[Hurts]) -> Script:
    """Hurt who is there a second after each change."""
    fleet, notes = yield from begun(stage)
    hurts = hurting(fleet)
    there = [CLASSROOM[0]]
    for group in CLASSROOM[1:]:
        yield from fleet.join(group)
        there.append(group)
        yield Sleep(CALM_US)
        yield from hurts.each(*there)
        yield from rewritten(notes)
    for group in CLASSROOM[:-1]:
        yield from fleet.leave(group)
        there.remove(group)
        yield Sleep(CALM_US)
        yield from hurts.each(*there)
        yield from rewritten(notes)
    yield from fleet.settled()
    yield from notes.check()


@veteran("T-1", "TestBasic", about="ten keys survive three groups that join and two that leave")
def basic(stage: WorldStage) -> Script:
    """Nobody is hurt."""
    yield from join_and_leave(stage, Hurts)
