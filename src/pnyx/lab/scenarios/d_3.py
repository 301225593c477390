"""D-3: T-3, but midway the dead come back without their disks, and others die."""

from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.fleet import Fleet
from pnyx.lab.scenarios.t_3 import limp_along
from pnyx.lab.scenarios.veterans import replaced, veteran
from pnyx.lab.stage import WorldStage


@veteran("D-3", "Test4Limp", about="who lost its disk and was replaced counts when another dies")
def limp(stage: WorldStage) -> Script:
    """Once the lost disks are replaced, another replica of each group loses power for good."""
    yield from limp_along(stage, _others_die)


def _others_die(fleet: Fleet, dead: dict[int, int]) -> Script:
    for node in dead.values():
        fleet.stage.world.wipe(node)
        fleet.stage.restart(node)
    yield from replaced(fleet, dead)
    for group, node in dead.items():
        fleet.stage.crash(next(each for each in fleet.nodes(group) if each != node))
