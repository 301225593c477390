"""T-3: one replica of each group is dead while groups come and go."""

from collections.abc import Callable
from typing import Final

from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.fleet import CLASSROOM, Fleet
from pnyx.lab.scenarios.veterans import CALM_US, begun, rewritten, veteran
from pnyx.lab.stage import WorldStage

LEFT_US: Final = 2 * CALM_US


def limp_along(stage: WorldStage, midway: Callable[[Fleet, dict[int, int]], Script]) -> Script:
    """Kill one of each, let the others join, do what comes midway, let the first two leave."""
    fleet, notes = yield from begun(stage)
    dead = {group: fleet.nodes(group)[stage.below(3, "dead")] for group in CLASSROOM}
    for node in dead.values():
        stage.world.crash(node, power=False)
    for group in CLASSROOM[1:]:
        yield from fleet.join(group)
        yield Sleep(CALM_US)
        yield from rewritten(notes)
    yield from midway(fleet, dead)
    for group in CLASSROOM[:-1]:
        yield from fleet.leave(group)
        # Who leaves has something to give: without its replicas nobody could.
        yield from fleet.settled()
        yield Sleep(LEFT_US)
        fleet.shut(group)
        yield from rewritten(notes)


@veteran("T-3", "TestLimp", about="ten keys survive though each group has a dead replica")
def limp(stage: WorldStage) -> Script:
    """They stay dead."""
    yield from limp_along(stage, _nothing)


def _nothing(_: Fleet, __: dict[int, int]) -> Script:
    yield from ()
