"""The replay that members are compared with keeps the sum that their rows have."""

from machine.driving import GROUP, LIMIT_BYTES, MEMBERS, START_MS, pair
from pnyx.ids import Epoch, ShardId
from pnyx.lab.invariants.reference import Reference, sum_of
from pnyx.machine.commands import AnyCommand, Batch, FlushAll, Set
from pnyx.machine.group import Group
from pnyx.machine.moves import FoundShards
from pnyx.machine.moving import SHARDS
from pnyx.storage.memory import MemorySpace

SHARD_COUNT = 4


def test_rows_that_an_entry_drops_twice_are_subtracted_once() -> None:
    # S-11/407077818616: a shard went and came back in one entry, which dropped its rows twice.
    everything = tuple(map(ShardId, range(SHARD_COUNT)))
    told: list[tuple[AnyCommand, ...]] = [
        (FoundShards(everything, Epoch(1)),),
        (Set(b"{s}a", b"1"), Set(b"{s}b", b"2")),
        (FlushAll(), Set(b"{s}c", b"3"), FlushAll()),
        (Set(b"{s}d", b"4"),),
    ]
    reference = Reference(MEMBERS, SHARDS, SHARD_COUNT)
    group = Group(MemorySpace(), GROUP, SHARDS, shards=SHARD_COUNT)
    group.membership = MEMBERS
    for index, commands in enumerate(told, 1):
        entry, batch = pair(index, Batch(START_MS, LIMIT_BYTES, commands))
        reference.apply(entry)
        group.apply([(entry, batch)])
        assert reference.sum_at(reference.index) == sum_of(group)
