"""S-3: keys follow their shards from group to group."""

from typing import Final

from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.clerks import Clerk, Notes
from pnyx.lab.scenarios.fleet import fleet_scenario, keys_by_shard, manned
from pnyx.lab.stage import WorldStage

KEYS: Final = 10
MOVE_US: Final = 1_000_000


@fleet_scenario(
    "S-3",
    about="ten keys are right after their group left and was shut: within a second they had moved",
    source="MIT 6.5840 lab 5B, TestJoinLeave",
)
def join_leave(stage: WorldStage) -> Script:
    """One group, then another one too, then only that; the first one is shut."""
    fleet = yield from manned(stage)
    yield from fleet.join(100)
    held = Notes(Clerk(fleet, "client"), keys_by_shard(KEYS, fleet.layout.shards))
    yield from held.put_all()
    yield from fleet.join(101)
    yield from held.check_and_append()
    yield from fleet.leave(100)
    yield from held.check_and_append()
    yield Sleep(MOVE_US)
    fleet.shut(100)
    yield from held.check()
    fleet.start(100)
    yield from fleet.settled()
