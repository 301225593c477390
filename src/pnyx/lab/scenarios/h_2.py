"""H-2: one group, whose leader is lost."""

from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.fleet import manned
from pnyx.lab.scenarios.sixty import sixty, sixty_scenario
from pnyx.lab.stage import WorldStage


@sixty_scenario(
    "H-2",
    1,
    about="sixty keys are there after the leader of the one group was shut",
    source="TestStaticOneShardGroup5A",
)
def one_group(stage: WorldStage) -> Script:
    """Write, read, shut the leader, read."""
    fleet = yield from manned(stage)
    yield from fleet.join(1)
    notes = sixty(fleet)
    yield from notes.put_all()
    yield from notes.check()
    stage.crash(fleet.leader(1) or fleet.nodes(1)[0])
    yield from notes.check()
