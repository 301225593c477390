"""COMMAND on pnyx and on a real redis-server: clients route by it, so it must say the same."""

from collections.abc import Iterator

import pytest

from differential.raw import RawConnection, parsed
from differential.servers import connect, pnyx_server, redis_server, why_no_redis
from pnyx.gateway.rows import Row
from pnyx.gateway.table import TABLE

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(why_no_redis() is not None, reason=str(why_no_redis())),
]

NEWER = {
    "delex",
    "client|maint_notifications",
    "waitaof",
    "client|no-touch",
    "client|setinfo",
    "cluster|myshardid",
}
"""Redis has them since 7.2 or 8.4."""

OWN = {row.name for row in TABLE.values() if row.name.startswith("pnyx.")}

Pair = tuple[RawConnection, RawConnection]
"""To redis-server and to pnyx."""


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with redis_server() as redis_port, pnyx_server() as pnyx_port:
        both = connect(redis_port, 2), connect(pnyx_port, 2)
        yield both
        for connection in both:
            connection.close()


def _every_row() -> list[Row]:
    return [member for row in TABLE.values() for member in (row, *row.subcommands.values())]


def _sorted(value: object) -> object:
    return sorted(map(_sorted, value), key=repr) if isinstance(value, list) else value


def _without_notes(specs: object) -> list[object]:
    assert isinstance(specs, list)
    return [spec[2:] if spec[0] == b"notes" else spec for spec in specs]


def _described(connection: RawConnection, name: str) -> list[object]:
    reply = parsed(connection.ask(b"COMMAND", b"INFO", name.encode()))
    assert isinstance(reply, list)
    described = reply[0]
    assert isinstance(described, list), f"{name} is not known"
    return described


@pytest.mark.parametrize(
    "name", [row.name for row in _every_row() if row.name not in NEWER | OWN], ids=str
)
def test_a_command_is_described_as_redis_describes_it(pair: Pair, name: str) -> None:
    redis, pnyx = (_described(connection, name) for connection in pair)
    assert len(redis) == len(pnyx) == 10
    assert pnyx[:2] + pnyx[3:6] == redis[:2] + redis[3:6], "name, arity, key positions"
    for at, what in ((2, "flags"), (6, "categories"), (7, "tips")):
        assert _sorted(pnyx[at]) == _sorted(redis[at]), what
    assert _sorted(pnyx[8]) == _sorted(_without_notes(redis[8])), "key specs"


@pytest.mark.parametrize(
    "words",
    [
        "SET a 1", "SET a 1 get NX", "SET a GET", "SET a b foo", "SETEX a 1 1", "GETEX a",
        "BITFIELD a", "BITFIELD a GET u8 0", "BITFIELD a OVERFLOW SAT get u8 0",
        "BITFIELD a GET u8 0 INCRBY u8 0 1", "BITFIELD a set u8 0 1", "BITFIELD a GET u8 0 GET",
        "BITFIELD a GET SET 0", "BITFIELD a foo", "MSET a 1 b 2", "BITOP AND d a b", "DEL a b",
    ],
)  # fmt: skip
def test_what_a_call_does_to_its_keys_is_what_redis_says(pair: Pair, words: str) -> None:
    asked = (b"COMMAND", b"GETKEYSANDFLAGS", *words.encode().split())
    redis, pnyx = (parsed(connection.ask(*asked)) for connection in pair)
    assert _sorted(pnyx) == _sorted(redis)


def test_command_alone_describes_every_row(pair: Pair) -> None:
    members = parsed(pair[1].ask(b"COMMAND"))
    assert isinstance(members, list)
    assert len(members) == len(TABLE)


def test_documents_name_the_same_group_and_version(pair: Pair) -> None:
    names = [row.name.encode() for row in TABLE.values() if row.name not in NEWER | OWN]
    found = []
    for connection in pair:
        reply = parsed(connection.ask(b"COMMAND", b"DOCS", *names))
        assert isinstance(reply, list)
        documents = {reply[at]: reply[at + 1] for at in range(0, len(reply), 2)}
        fields = {
            name: {document[at]: document[at + 1] for at in range(0, len(document), 2)}
            for name, document in documents.items()
        }
        found.append({name: (each[b"since"], each[b"group"]) for name, each in fields.items()})
    assert found[0] == found[1]
