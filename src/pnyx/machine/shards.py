"""Which shard a slot belongs to: a shard is a run of slots, the unit that moves between groups."""

from collections.abc import Sequence
from typing import Final, TypeVar

from pnyx.ids import SLOT_COUNT

T = TypeVar("T")

SHARDS_DEFAULT: Final = 256


def shard_of_slot(slot: int, count: int) -> int:
    """Return the shard of `slot` when the slots are cut into `count` (1 to 16384) shards."""
    return slot * count // SLOT_COUNT


def first_slot(shard: int, count: int) -> int:
    """Return the least slot of `shard`; of `count` itself the number of slots."""
    return -(-shard * SLOT_COUNT // count)


def by_slot(shards: Sequence[T]) -> list[T]:
    """Return of each slot what `shards`, which are all there are, have for its shard."""
    slots: list[T] = []
    for shard, of_shard in enumerate(shards):
        slots += [of_shard] * (first_slot(shard + 1, len(shards)) - len(slots))
    return slots
