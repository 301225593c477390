"""D-4 and D-5: T-4 and T-5 while replicas are killed, and lose their disks."""

from typing import Final

from pnyx.lab.network import MIT_UNRELIABLE
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.t_4 import append_and_move
from pnyx.lab.scenarios.veterans import Kills, veteran
from pnyx.lab.stage import WorldStage

KILLS: Final = 4
"""Every second one loses its disk."""


@veteran(
    "D-4",
    "Test4Concurrent",
    about="eleven clients append, read and move shards while replicas are killed or wiped",
)
def concurrent(stage: WorldStage) -> Script:
    """They go on until the last one is replaced."""
    yield from append_and_move(stage, Kills, KILLS)


@veteran(
    "D-5",
    "Test4ConcurrentUnreliable",
    about="eleven clients over unreliable links, while replicas are killed or wiped",
    profile=MIT_UNRELIABLE,
    unreliable=True,
)
def unreliable(stage: WorldStage) -> Script:
    """The same where one message in ten is lost."""
    yield from append_and_move(stage, Kills, KILLS)
