"""S-12: what a group gave away takes no room there, on any replica."""

from typing import Final

from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.clerks import Clerk, Notes
from pnyx.lab.scenarios.fleet import CLASSROOM, fleet_scenario, keys_by_shard, manned
from pnyx.lab.stage import WorldStage
from pnyx.machine.holdings import RECENT_COUNT_MAX
from pnyx.replica.limits import MigrationLimits

KEYS: Final = 30
VALUE_BYTES: Final = 1_000
PAUSE_US: Final = 3_000_000
READS: Final = 3
# The original's: values that are not the last written, two copies of three, and a bit.
KEPT_BYTES_MAX: Final = 3 * ((KEYS - 3) * VALUE_BYTES + 2 * 3 * VALUE_BYTES + 6_000)
COUNTERS_BYTES_MAX: Final = RECENT_COUNT_MAX * 100
"""A replica writes what an entry changed of shards' counters in a row of its own, and so many of
those together. They grow with neither keys nor moves."""


@fleet_scenario(
    "S-12",
    about="nine replicas keep 117,000 bytes at most of thirty keys that went from group to group",
    source="MIT 6.5840 lab 5B, TestChallenge1Delete",
    compact_bytes=1,
    migration=MigrationLimits(chunk_bytes=2_000),
)
def delete(stage: WorldStage) -> Script:
    """Shards go back and forth twice; a snapshot follows each entry."""
    fleet = yield from manned(stage)
    yield from fleet.join(100)
    keys = keys_by_shard(KEYS, fleet.layout.shards)
    notes = Notes(Clerk(fleet, "client"), keys, size=VALUE_BYTES)
    yield from notes.put_all()
    for _ in range(2):
        yield from fleet.join(101)
        yield from fleet.leave(100)
        yield from fleet.join(102)
        yield Sleep(PAUSE_US)
        yield from fleet.leave(101)
        yield from fleet.join(100)
        yield from fleet.leave(102)
        yield Sleep(PAUSE_US)
    yield from fleet.join(101)
    yield from fleet.join(102)
    for _ in range(READS):
        yield Sleep(1_000_000)
        yield from notes.check()
    yield from fleet.settled()
    kept, counters = fleet.kept_bytes(*CLASSROOM)
    name = "bytes of logs and rows on nine replicas"
    stage.budget(name, kept, KEPT_BYTES_MAX, KEYS * VALUE_BYTES)
    stage.budget("bytes of shards' counters on nine replicas", counters, 9 * COUNTERS_BYTES_MAX)
    yield from notes.check()
