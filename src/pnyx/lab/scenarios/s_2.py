"""S-2: a group that has half of the shards refuses the keys of the others, whatever a map says."""

from typing import Final

from msgspec import structs

from pnyx.ids import GroupId
from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.clerks import Clerk
from pnyx.lab.scenarios.fleet import fleet_scenario, keys_by_shard, manned
from pnyx.lab.stage import WorldStage

GROUP: Final = GroupId(100)
CLIENTS: Final = 10
DECEIVED_US: Final = 2_000_000


@fleet_scenario(
    "S-2",
    about="of ten clients who believe that one group has everything exactly five are answered",
    source="MIT 6.5840 lab 5B, TestRejection (2024)",
)
def rejection(stage: WorldStage) -> Script:
    """Half of the shards move to another group; the clients hear of another controller's map."""
    fleet = yield from manned(stage)
    yield from fleet.joined(GROUP)
    clerk, keys = Clerk(fleet, "first"), keys_by_shard(CLIENTS, fleet.layout.shards)
    for key in keys:
        yield from clerk.put(key, b"of " + key)
    # All of it was there: what was given away must not be served from what is left of it.
    yield from fleet.joined(101)
    directory = yield from fleet.operator.directory()
    everything = tuple([structs.replace(each, group=GROUP) for each in directory.shards])
    believed = structs.replace(directory, shards=everything)
    readers = [Clerk(fleet, f"reader {at}", knows_better=believed) for at in range(CLIENTS)]
    right: list[bool] = []
    for reader, key in zip(readers, keys, strict=True):
        stage.spawn(_read(reader, key, right))
    yield Sleep(DECEIVED_US)
    stage.budget("clients answered", len(right), CLIENTS // 2, CLIENTS // 2)
    stage.check(all(right), "a client read something else than was put")
    for reader in readers:
        reader.stopped = True


def _read(reader: Clerk, key: bytes, right: list[bool]) -> Script:
    value = yield from reader.get(key)
    if not reader.stopped:
        right.append(value == b"of " + key)
