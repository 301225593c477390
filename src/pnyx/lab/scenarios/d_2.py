"""D-2: T-2, but the group is killed, and comes back with its disks."""

from collections.abc import Sequence

from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.t_2 import move_away
from pnyx.lab.scenarios.veterans import veteran
from pnyx.lab.stage import WorldStage


@veteran("D-2", "Test4Move", about="what did not move away is back with the disks of its group")
def move(stage: WorldStage) -> Script:
    """All three at once."""
    yield from move_away(stage, _kill)


def _kill(stage: WorldStage, nodes: Sequence[int]) -> None:
    for node in nodes:
        stage.world.crash(node, power=False)
