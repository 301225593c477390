"""S-9: shards move over links that lose, delay and reorder."""

from typing import Final

from pnyx.lab.network import MIT_UNRELIABLE
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.clerks import Clerk, Notes
from pnyx.lab.scenarios.fleet import fleet_scenario, keys_by_shard, manned
from pnyx.lab.stage import WorldStage

KEYS: Final = 10


@fleet_scenario(
    "S-9",
    about="ten keys are right after moves over unreliable links, and again after more of them",
    source="MIT 6.5840 lab 5B, TestUnreliable1",
    compact_bytes=100,
    profile=MIT_UNRELIABLE,
    unreliable=True,
)
def unreliable(stage: WorldStage) -> Script:
    """Twenty checks with appends, then twenty without."""
    fleet = yield from manned(stage)
    yield from fleet.join(100)
    notes = Notes(Clerk(fleet, "client", lossy=True), keys_by_shard(KEYS, fleet.layout.shards))
    yield from notes.put_all()
    yield from fleet.join(101)
    yield from fleet.join(102)
    yield from fleet.leave(100)
    for _ in range(2):
        yield from notes.check_and_append()
    yield from fleet.join(100)
    yield from fleet.leave(101)
    for _ in range(2):
        yield from notes.check()
