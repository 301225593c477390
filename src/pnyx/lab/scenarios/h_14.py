"""H-14: four operators at once; A over links that behave, B over others."""

from dataclasses import replace
from typing import Final

from pnyx.lab.network import MIT_UNRELIABLE
from pnyx.lab.scenario import Script, Sleep, Until, add
from pnyx.lab.scenarios.fleet import LOSSY, Fleet, Planner, manned
from pnyx.lab.scenarios.sixty import sixty, sixty_scenario
from pnyx.lab.stage import WorldStage

OPERATORS: Final = 4
SPAN_US: Final = 2_000_000
END_US: Final = 60_000_000


@sixty_scenario(
    "H-14A",
    1 + OPERATORS,
    about="four operators whose groups join and leave at once all end, and sixty keys are right",
    source="TestConcurrentReliable5C, TestAcquireLockConcurrentUnreliable5C",
)
def concurrent(stage: WorldStage) -> Script:
    """Each has a group of its own that joins and leaves for two seconds."""
    fleet = yield from manned(stage)
    yield from fleet.join(1)
    notes = sixty(fleet, lossy=stage.scenario.unreliable)
    yield from notes.put_all()
    ended = [False] * OPERATORS
    for number in range(OPERATORS):
        stage.spawn(_operate(stage, number, ended))
    yield Sleep(SPAN_US)
    yield Until(lambda: all(ended), END_US)
    stage.check(all(ended), "an operator still waits")
    yield from fleet.settled()
    yield from notes.check()


def _operate(stage: WorldStage, number: int, ended: list[bool]) -> Script:
    planner = Planner(stage, f"operator {number}", among=(1, 2, 3))
    fleet, began_us = Fleet(stage, planner), stage.now_us
    while stage.now_us - began_us < SPAN_US:
        yield from fleet.join(2 + number)
        yield Sleep(stage.below(200_000, f"pause of {number}"))
        yield from fleet.leave(2 + number)
        yield Sleep(stage.below(200_000, f"pause of {number}"))
    ended[number] = True


UNRELIABLE: Final = add(
    replace(concurrent, id="H-14B", profile=MIT_UNRELIABLE, unreliable=True, limits=LOSSY)
)
