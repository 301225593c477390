"""S-6: appends while groups come and go, and lose power one after the other."""

from typing import Final

from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.appending import Crowd
from pnyx.lab.scenarios.fleet import CLASSROOM, fleet_scenario, manned, second
from pnyx.lab.stage import WorldStage

THINK_US: Final = 20_000
LEAST: Final = 200


@fleet_scenario(
    "S-6",
    about="every append is there once after groups left and came back while all were down",
    source="MIT 6.5840 lab 5B, TestConcurrent1",
    compact_bytes=100,
)
def concurrent(stage: WorldStage) -> Script:
    """Somebody asks a group to leave while all groups are down: it does when they are back."""
    fleet = yield from manned(stage)
    yield from fleet.join(100)
    crowd = Crowd(fleet, THINK_US)
    yield from crowd.begin()
    yield Sleep(150_000)
    yield from fleet.join(101)
    yield Sleep(500_000)
    yield from fleet.join(102)
    yield Sleep(500_000)
    yield from fleet.leave(100)
    for group in CLASSROOM:
        yield Sleep(100_000)
        fleet.shut(group)
    left = [False]
    stage.spawn(_leave(stage, left))
    yield Sleep(100_000)
    fleet.start(*CLASSROOM)
    yield Sleep(100_000)
    yield from fleet.join(100)
    yield from fleet.leave(101)
    yield Sleep(500_000)
    yield from fleet.join(101)
    yield Sleep(1_000_000)
    yield from crowd.end(LEAST)
    stage.check(left[0], "the group that was to leave while all were down is still there")
    yield from fleet.settled()


def _leave(stage: WorldStage, left: list[bool]) -> Script:
    yield from second(stage).leave(102)
    left[0] = True
