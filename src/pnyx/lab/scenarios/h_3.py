"""H-3: a second group joins; either is shut."""

from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.clerks import Clerk
from pnyx.lab.scenarios.fleet import manned
from pnyx.lab.scenarios.sixty import KEYS, refused, shutdown_check, sixty, sixty_scenario
from pnyx.lab.stage import WorldStage


@sixty_scenario(
    "H-3",
    2,
    about="with either group down some keys are read and none is wrong; old owners refuse",
    source="TestJoinBasic5A",
)
def join_basic(stage: WorldStage) -> Script:
    """One configuration more; half of the keys are refused by whoever had them."""
    fleet = yield from manned(stage)
    before = yield from fleet.join(1)
    notes = sixty(fleet)
    yield from notes.put_all()
    late = Clerk(fleet, "late client", knows_better=(yield from fleet.operator.directory()))
    after = yield from fleet.join(2)
    stage.check(after.number == before.number + 1, f"{after.number} follows {before.number}")
    yield from fleet.settled()
    count = 0
    for key in notes.keys:
        count += yield from refused(late, key)
    stage.budget("keys that their old owner refuses", count, KEYS // 2, KEYS // 2)
    yield from shutdown_check(fleet, notes, 1, 2)
