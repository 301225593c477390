"""H-5: a group joins, the other one leaves, is shut, and joins again."""

from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.fleet import manned
from pnyx.lab.scenarios.sixty import shutdown_check, sixty, sixty_scenario
from pnyx.lab.stage import WorldStage


@sixty_scenario(
    "H-5",
    2,
    about="sixty keys are right when their group left and was shut, and when it came back",
    source="TestJoinLeaveBasic5A",
)
def join_leave_basic(stage: WorldStage) -> Script:
    """Look with either group down in between."""
    fleet = yield from manned(stage)
    yield from fleet.join(1)
    notes = sixty(fleet)
    yield from notes.put_all()
    yield from fleet.joined(2)
    yield from shutdown_check(fleet, notes, 1)
    yield from fleet.left(1)
    fleet.shut(1)
    yield from notes.check()
    fleet.start(1)
    yield from fleet.joined(1)
    yield from notes.check()
    yield from shutdown_check(fleet, notes, 2)
