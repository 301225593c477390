"""H-7: everybody is shut, and starts anew."""

from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.fleet import manned
from pnyx.lab.scenarios.sixty import sixty, sixty_scenario
from pnyx.lab.stage import WorldStage


@sixty_scenario(
    "H-7",
    3,
    about="sixty keys on three groups are there after all groups were shut and started",
    source="TestShutdown5A",
)
def shutdown(stage: WorldStage) -> Script:
    """All at once."""
    fleet = yield from manned(stage)
    yield from fleet.join(1)
    notes = sixty(fleet)
    yield from notes.put_all()
    yield from fleet.join(2)
    yield from fleet.joined(3)
    fleet.shut(1, 2, 3)
    fleet.start(1, 2, 3)
    yield from notes.check()
