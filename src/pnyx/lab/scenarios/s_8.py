"""S-8: all groups start anew again and again while shards move to and fro."""

from typing import Final

from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.appending import Crowd
from pnyx.lab.scenarios.fleet import CLASSROOM, fleet_scenario, manned
from pnyx.lab.stage import WorldStage

THINK_US: Final = 50_000
SPAN_US: Final = 12_000_000
PAUSE_US: Final = 900_000
LEAST: Final = 200


@fleet_scenario(
    "S-8",
    about="every append is there once after 12 s in which all groups lost power all the time",
    source="MIT 6.5840 lab 5B, TestConcurrent3; 6.824, TestChallenge1Concurrent",
    compact_bytes=300,
)
def concurrent(stage: WorldStage) -> Script:
    """Two groups join, everybody loses power, the two leave; and again."""
    fleet = yield from manned(stage)
    yield from fleet.join(100)
    crowd = Crowd(fleet, THINK_US)
    yield from crowd.begin()
    began_us = stage.now_us
    while stage.now_us - began_us < SPAN_US:
        yield from fleet.join(102)
        yield from fleet.join(101)
        yield Sleep(stage.below(PAUSE_US, "pause"))
        fleet.shut(*CLASSROOM)
        fleet.start(*CLASSROOM)
        yield Sleep(stage.below(PAUSE_US, "pause"))
        yield from fleet.leave(101)
        yield from fleet.leave(102)
        yield Sleep(stage.below(PAUSE_US, "pause"))
    yield from crowd.end(LEAST)
    yield from fleet.settled()
