"""H-4: what moved away takes no room."""

from typing import Final

from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.fleet import manned
from pnyx.lab.scenarios.sixty import sixty, sixty_scenario
from pnyx.lab.stage import WorldStage
from pnyx.replica.limits import MigrationLimits

VALUE_BYTES: Final = 1_000
MORE_BYTES: Final = 10_000
LOG_BYTES: Final = 10_000


@sixty_scenario(
    "H-4",
    2,
    about="after a join two snapshots take 10,000 bytes more at most than one did before",
    source="TestDeleteBasic5A",
    compact_bytes=LOG_BYTES,
    migration=MigrationLimits(chunk_bytes=4_000),
)
def delete_basic(stage: WorldStage) -> Script:
    """Sixty large values, five times read."""
    fleet = yield from manned(stage)
    yield from fleet.join(1)
    notes = sixty(fleet, size=VALUE_BYTES)
    yield from notes.put_all()
    before = fleet.snapshot_bytes(1)
    yield from fleet.joined(2)
    for _ in range(5):
        yield from notes.check()
    after = fleet.snapshot_bytes(1) + fleet.snapshot_bytes(2)
    stage.budget("bytes of both snapshots", after, before + MORE_BYTES, before)
