"""S-7: appends while groups take turns with long pauses, and two start anew."""

from typing import Final

from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.appending import Crowd
from pnyx.lab.scenarios.fleet import fleet_scenario, manned
from pnyx.lab.stage import WorldStage

THINK_US: Final = 50_000
PAUSE_US: Final = 3_000_000
LEAST: Final = 500


@fleet_scenario(
    "S-7",
    about="groups that start anew while shards move get them from their right old owner",
    source="MIT 6.5840 lab 5B, TestConcurrent2",
)
def concurrent(stage: WorldStage) -> Script:
    """Three groups, one, two others, one; that and another one lose power."""
    fleet = yield from manned(stage)
    yield from fleet.join(101)
    crowd = Crowd(fleet, THINK_US)
    yield from crowd.begin()
    yield from fleet.join(100)
    yield from fleet.join(102)
    yield from fleet.leave(100)
    yield from fleet.leave(102)
    yield Sleep(PAUSE_US)
    yield from fleet.join(100)
    yield from fleet.join(102)
    yield from fleet.leave(101)
    yield Sleep(PAUSE_US)
    yield from fleet.join(101)
    yield from fleet.leave(100)
    yield from fleet.leave(102)
    fleet.shut(101, 102)
    yield Sleep(1_000_000)
    fleet.start(101, 102)
    yield Sleep(2_000_000)
    yield from crowd.end(LEAST)
    yield from fleet.settled()
