"""S-10: appends over unreliable links while groups come and go."""

from typing import Final

from pnyx.lab.network import MIT_UNRELIABLE
from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.appending import Crowd
from pnyx.lab.scenarios.fleet import fleet_scenario, manned, take_turns
from pnyx.lab.stage import WorldStage

LEAST: Final = 50


@fleet_scenario(
    "S-10",
    about="ten clerks who lose requests and answers find each append once",
    source="MIT 6.5840 lab 5B, TestUnreliable2",
    compact_bytes=100,
    profile=MIT_UNRELIABLE,
    unreliable=True,
)
def unreliable(stage: WorldStage) -> Script:
    """Groups come and go within two seconds."""
    fleet = yield from manned(stage)
    yield from fleet.join(100)
    crowd = Crowd(fleet, 0, lossy=True)
    yield from crowd.begin()
    yield from take_turns(fleet)
    yield Sleep(2_000_000)
    crowd.over = True
    stage.reliable(reliable=True)
    yield from crowd.end(LEAST)
    yield from fleet.settled()
