"""H-1: the first configuration."""

from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.fleet import manned
from pnyx.lab.scenarios.sixty import SHARDS, sixty_scenario
from pnyx.lab.stage import WorldStage


@sixty_scenario(
    "H-1",
    1,
    about="the first group that joins has all shards in configuration 1",
    source="TestInitQuery5A",
)
def init_query(stage: WorldStage) -> Script:
    """Join, then ask."""
    fleet = yield from manned(stage)
    yield from fleet.join(1)
    newest = yield from fleet.operator.query()
    stage.check(newest.number == 1, f"configuration {newest.number} is the first one")
    stage.check(newest.targets == (1,) * SHARDS, f"group 1 has all shards, not {newest.targets}")
