"""Slots as the Redis Cluster specification gives them."""

import pytest

from pnyx.ids import SLOT_COUNT
from pnyx.machine.shards import by_slot, shard_of_slot
from pnyx.machine.slots import slot_of


@pytest.mark.parametrize(
    ("key", "slot"),
    [
        (b"", 0),
        (b"123456789", 0x31C3),
        (b"foo", 12182),
        (b"{user1000}.following", 3443),
        (b"{user1000}.followers", 3443),
        (b"foo{}{bar}", 8363),
        (b"foo{{bar}}zap", 4015),
        (b"foo{bar}{zap}", 5061),
    ],
)
def test_a_key_has_the_slot_that_redis_cluster_gives_it(key: bytes, slot: int) -> None:
    """The values are CLUSTER KEYSLOT's of a redis-server 7.0.15."""
    assert slot_of(key) == slot


def test_an_unclosed_or_empty_tag_is_no_tag() -> None:
    assert slot_of(b"{a") != slot_of(b"a")
    assert slot_of(b"{}a") != slot_of(b"a")
    assert slot_of(b"}{a}") == slot_of(b"a")


@pytest.mark.parametrize("count", [1, 3, 256, 1_000, SLOT_COUNT])
def test_a_table_by_slot_says_the_same_as_the_shard_of_each_slot(count: int) -> None:
    assert by_slot(range(count)) == [shard_of_slot(slot, count) for slot in range(SLOT_COUNT)]
