"""Commands over the whole store while one shard after the other leaves the group that has them."""

import time
from collections.abc import Iterator

import pytest

from differential.raw import parsed
from gateway.running import Running, running
from pnyx.gateway.domain import shards_of
from pnyx.ids import GroupId
from pnyx.machine.commands import DbSize, FlushAll
from pnyx.machine.shards import first_slot
from pnyx.machine.slots import SLOT_SHIFT
from pnyx.replica.requests import Request

SHARDS = 64
KEYS = 200
PARK_MS = 600


@pytest.fixture
def gateway() -> Iterator[Running]:
    """Two groups. Whoever asks the first for several shards is late: one of them has just left."""
    with running(groups=2, shards=SHARDS, limits={"park_ms": PARK_MS}) as one:
        connection = one.connect()
        for number in range(KEYS):
            connection.ask(b"SET", b"key%d" % number, b"v")

        def leave(request: Request) -> None:
            for command in request.commands:
                ranges = command.ranges if isinstance(command, DbSize | FlushAll) else ()
                held = [n for n in shards_of(ranges, SHARDS) if one.store.owners[n] == 1]
                if len(held) > 1:
                    one.store.move(held[0], 2)

        one.store.answer = leave
        yield one


@pytest.mark.parametrize("cluster", [False, True])
def test_each_key_is_counted_once_though_a_shard_leaves_before_each_question(
    gateway: Running, cluster: bool
) -> None:
    assert gateway.connect(cluster=cluster).ask(b"DBSIZE") == b":%d\r\n" % KEYS


def test_everything_is_flushed_though_a_shard_leaves_before_each_question(gateway: Running) -> None:
    connection = gateway.connect()
    assert connection.ask(b"FLUSHALL") == b"+OK\r\n"
    assert connection.ask(b"DBSIZE") == b":0\r\n"


@pytest.mark.parametrize("cluster", [False, True])
def test_a_scan_that_comes_to_a_shard_on_its_way_says_what_it_has(
    gateway: Running, cluster: bool
) -> None:
    store = gateway.store
    gateway.on_loop(lambda: store.freeze(20, 2))
    store.frozen = {20}
    connection = gateway.connect(cluster=cluster)
    began = time.monotonic()
    page = parsed(connection.ask(b"SCAN", b"0", b"COUNT", b"1000"))
    assert time.monotonic() - began < PARK_MS / 1_000
    assert isinstance(page, list)
    assert int(page[0]) >> SLOT_SHIFT == first_slot(20, SHARDS)
    gateway.on_loop(lambda: store.activate(20, 2))
    store.owners[20], store.frozen = GroupId(2), set()
    rest = parsed(connection.ask(b"SCAN", page[0], b"COUNT", b"1000"))
    assert isinstance(rest, list)
    assert rest[0] == b"0"
    assert sorted([*page[1], *rest[1]]) == sorted(b"key%d" % number for number in range(KEYS))
