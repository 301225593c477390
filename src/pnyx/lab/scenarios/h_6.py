"""H-6: eight groups join one by one, and leave, A over links that behave and B over others."""

from dataclasses import replace
from typing import Final

from pnyx.lab.network import MIT_UNRELIABLE
from pnyx.lab.scenario import Script, Sleep, add
from pnyx.lab.scenarios.fleet import LOSSY, manned
from pnyx.lab.scenarios.sixty import CHANGE_US, shutdown_check, sixty, sixty_scenario
from pnyx.lab.stage import WorldStage

LAST: Final = 9


@sixty_scenario(
    "H-6A",
    LAST,
    about="sixty keys are right after eight groups joined one by one and left again",
    source="TestManyJoinLeaveReliable5A, TestManyJoinLeaveUnreliable5A",
)
def many(stage: WorldStage) -> Script:
    """One of nine is shut in between."""
    fleet = yield from manned(stage)
    yield from fleet.join(1)
    notes = sixty(fleet, lossy=stage.scenario.unreliable)
    yield from notes.put_all()
    for group in range(2, 1 + LAST):
        yield from fleet.join(group)
        yield Sleep(CHANGE_US)
    yield from fleet.settled()
    if not stage.scenario.unreliable:
        yield from shutdown_check(fleet, notes, 1)
    yield from notes.check()
    for group in range(2, 1 + LAST):
        yield from fleet.leave(group)
        yield Sleep(CHANGE_US)
    yield from notes.check()


UNRELIABLE: Final = add(
    replace(many, id="H-6B", profile=MIT_UNRELIABLE, unreliable=True, limits=LOSSY)
)
