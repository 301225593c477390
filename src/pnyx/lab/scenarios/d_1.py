"""D-1: T-1 while replicas are killed, and lose their disks."""

from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.t_1 import join_and_leave
from pnyx.lab.scenarios.veterans import Kills, veteran
from pnyx.lab.stage import WorldStage


@veteran(
    "D-1",
    "Test4Basic",
    about="ten keys survive joins and leaves while a replica of each group is killed or wiped",
)
def basic(stage: WorldStage) -> Script:
    """After each change one replica of each group: killed, the next time wiped."""
    yield from join_and_leave(stage, Kills)
