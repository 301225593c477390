"""S-X5A and S-X5B: the source of a move is gone for ever, before its freeze and right after it.

What a group had that is gone is gone: nobody may make it up. Who waits for it says so, and all that
others have goes on being served.
"""

from typing import Final

from pnyx.lab.layout import apart
from pnyx.lab.scenario import Script, Sleep, Until
from pnyx.lab.scenarios.clerks import Clerk
from pnyx.lab.scenarios.counting import Counting
from pnyx.lab.scenarios.fleet import fleet_scenario, keys_by_shard, ledgers_of, manned
from pnyx.lab.scenarios.tripwire import Step, Tripwire
from pnyx.lab.stage import WorldStage
from pnyx.replica.limits import MigrationLimits

SOURCE: Final = 100
DESTINATION: Final = 101
SHARDS: Final = 4
LIMITS: Final = MigrationLimits(chunk_bytes=400, freeze_bytes=4_000)
VALUES: Final = 5
REACHED_US: Final = 10_000_000
GONE_US: Final = 5_000_000
"""Longer than anybody waits before he asks again."""
LAYOUT: Final = apart((SOURCE, DESTINATION), shards=SHARDS)


def _gone(stage: WorldStage, step: Step, *, may_arrive: bool) -> Script:
    fleet = yield from manned(stage)
    yield from fleet.joined(SOURCE, DESTINATION)
    directory = yield from fleet.operator.directory()
    owners = [each.group for each in directory.shards]
    shard = owners.index(fleet.operator.placed(SOURCE)[0].group)
    keys = keys_by_shard(SHARDS * VALUES, SHARDS)[shard::SHARDS]
    client = Clerk(fleet, "client")
    for key in keys:
        yield from client.put(key, b"kept " * 10)
    elsewhere = Counting(fleet, next(at for at, each in enumerate(owners) if each == DESTINATION))
    yield from elsewhere.begin()
    wire = Tripwire(SOURCE, DESTINATION, shard, step, lambda: fleet.shut(SOURCE))
    stage.world.watches.add(wire)
    yield from fleet.operator.move(shard, DESTINATION)
    yield Until(lambda: wire.reached, REACHED_US)
    stage.check(wire.reached, f"the move never came to {step.name}")
    found: list[bytes | None] = []
    reader = Clerk(fleet, "reader")
    stage.spawn(_read(reader, keys[0], found))
    yield Sleep(GONE_US)
    ledgers = ledgers_of(stage)
    assert ledgers is not None, "a fleet is judged"
    is_served = ledgers.owner(shard) == DESTINATION
    stage.check(may_arrive or not is_served, "a shard is served that was never copied whole")
    if is_served:
        for key in keys:
            value = yield from client.get(key)
            stage.check(value == b"kept " * 10, f"{key!r} is {value!r}")
    else:
        stage.check(not found, f"nobody has the shard, and {found} was read in it")
        why = [each.why for each in fleet.progress(DESTINATION) if each.shard == shard]
        stage.check(any(f"group g{SOURCE}" in each for each in why), f"it does not say why: {why}")
        reader.stopped = True
    before = sum(elsewhere.counts.values())
    yield Sleep(500_000)
    goes_on = sum(elsewhere.counts.values()) > before
    stage.check(goes_on, "the group that is left does nothing any more")
    yield from elsewhere.end()
    yield from elsewhere.check()


def _read(reader: Clerk, key: bytes, found: list[bytes | None]) -> Script:
    value = yield from reader.get(key)
    if not reader.stopped:
        found.append(value)


@fleet_scenario(
    "S-X5A",
    about="a shard whose source is gone before the freeze is served by nobody, who says why",
    source="sharding: the crash matrix of a move",
    layout=LAYOUT,
    migration=LIMITS,
)
def before_the_freeze(stage: WorldStage) -> Script:
    """All of the source is lost while the shard is copied; it never comes back."""
    yield from _gone(stage, Step.COPYING, may_arrive=False)


@fleet_scenario(
    "S-X5B",
    about="a shard whose source is gone with the freeze is whole at its destination, or nowhere",
    source="sharding: the crash matrix of a move",
    layout=LAYOUT,
    migration=LIMITS,
)
def with_the_freeze(stage: WorldStage) -> Script:
    """All of the source is lost at the event that freezes the shard; it never comes back."""
    yield from _gone(stage, Step.FROZEN, may_arrive=True)
