"""S-4: snapshots while shards move, and a restart of everybody."""

from typing import Final

from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.clerks import Clerk, Notes
from pnyx.lab.scenarios.fleet import CLASSROOM, fleet_scenario, keys_by_shard, manned
from pnyx.lab.stage import WorldStage

KEYS: Final = 30
LOG_BYTES: Final = 1_000
LOG_FACTOR: Final = 8
CALM_US: Final = 1_000_000


@fleet_scenario(
    "S-4",
    about="thirty keys are right after moves with short logs, and after all groups started anew",
    source="MIT 6.5840 lab 5B, TestSnapshot",
    compact_bytes=LOG_BYTES,
)
def snapshot(stage: WorldStage) -> Script:
    """Groups take turns; then everybody loses power."""
    fleet = yield from manned(stage)
    yield from fleet.join(100)
    notes = Notes(Clerk(fleet, "client"), keys_by_shard(KEYS, fleet.layout.shards))
    yield from notes.put_all()
    yield from fleet.join(101)
    yield from fleet.join(102)
    yield from fleet.leave(100)
    yield from notes.check_and_append()
    yield from fleet.leave(101)
    yield from fleet.join(100)
    yield from notes.check_and_append()
    yield Sleep(CALM_US)
    yield from notes.check()
    yield Sleep(CALM_US)
    longest = max(fleet.log_bytes(group) for group in CLASSROOM)
    stage.budget("bytes of the longest log", longest, LOG_FACTOR * LOG_BYTES)
    fleet.shut(*CLASSROOM)
    fleet.start(*CLASSROOM)
    yield from notes.check()
