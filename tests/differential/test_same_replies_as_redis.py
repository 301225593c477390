"""Random command sequences on pnyx and on a real redis-server: the same replies, byte by byte.

What may differ is written down in docs/reference/redis-differences.md and in `_agree` below.
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from differential.grammar import commands
from differential.raw import RawConnection, parsed
from differential.servers import connect, pnyx_server, redis_server, why_no_redis

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(why_no_redis() is not None, reason=str(why_no_redis())),
]
EXAMPLES = int(os.environ.get("PNYX_DIFFERENTIAL_EXAMPLES", "120"))

Line = tuple[int, tuple[bytes, ...]]
Pair = tuple[RawConnection, RawConnection]


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    with redis_server() as redis_port, pnyx_server() as pnyx_port:
        yield redis_port, pnyx_port


UNORDERED = {b"KEYS"}
CLOSE = {b"TTL": 1, b"EXPIRETIME": 1, b"PTTL": 1500, b"PEXPIRETIME": 1500}
"""Replies in units of time may be this far apart: the two servers were asked one after another."""

ONLY_SHAPED = {b"HELLO", b"SLOWLOG"}
"""They tell the version and what this server did; tests of the gateway look at them."""

ENCODINGS = {b"int", b"embstr", b"raw"}
"""Redis tells how the last command left the value, pnyx how such a value is stored."""

ASKED_LATER = {b"BITCOUNT", b"BITPOS", b"LCS", b"GETEX"}
"""Redis looks at the key first and at these commands' options only if it exists; pnyx never
takes a command with options it cannot mean."""


def _agree(words: tuple[bytes, ...], redis: bytes, pnyx: bytes) -> bool:
    if redis == pnyx:
        return True
    name = words[0].upper()
    if name in ASKED_LATER and pnyx.startswith(b"-ERR"):
        return parsed(redis) in (0, -1, b"", None) or redis.startswith(b"*4\r\n$7\r\nmatches")
    if name in ONLY_SHAPED:
        return redis[:1] == pnyx[:1]
    return _close(name, parsed(redis), parsed(pnyx))


def _close(name: bytes, redis: object, pnyx: object) -> bool:
    if name in UNORDERED and isinstance(redis, list) and isinstance(pnyx, list):
        return sorted(redis) == sorted(pnyx)
    if name == b"SCAN" and isinstance(redis, list) and isinstance(pnyx, list):
        return redis[0] == pnyx[0] and sorted(redis[1]) == sorted(pnyx[1])
    if name == b"OBJECT" and redis == 2**31 - 1:
        return pnyx == 1
    if isinstance(redis, bytes) and redis in ENCODINGS and pnyx in list(ENCODINGS):
        return name == b"OBJECT"
    if isinstance(redis, int) and isinstance(pnyx, int) and name in CLOSE:
        return abs(redis - pnyx) <= CLOSE[name]
    return False


def _close_members(queued: list[tuple[bytes, ...]], redis: bytes, pnyx: bytes) -> bool:
    """Compare EXEC's replies one by one, each as its command's."""
    left, right = parsed(redis), parsed(pnyx)
    if not (isinstance(left, list) and isinstance(right, list)):
        return False
    if not len(left) == len(right) == len(queued):
        return False
    pairs = zip(queued, left, right, strict=True)
    return all(
        one == other
        or _close(words[0].upper(), one, other)
        or (words[0].upper() in ASKED_LATER and str(other).startswith("b'-ERR"))
        for words, one, other in pairs
    )


def _compare(ports: tuple[int, int], protocol: int, lines: list[Line]) -> None:
    pairs = [(connect(ports[0], protocol), connect(ports[1], protocol)) for _ in range(2)]
    queued: list[list[tuple[bytes, ...]]] = [[], []]
    try:
        for connection in pairs[0]:
            assert connection.ask(b"FLUSHALL") == b"+OK\r\n"
        for number, words in lines:
            redis, pnyx = (connection.ask(*words) for connection in pairs[number])
            name = words[0].upper()
            same = _agree(words, redis, pnyx)
            if name == b"EXEC" and not same:
                same = _close_members(queued[number], redis, pnyx)
            assert same, f"connection {number}, {words}: redis {redis!r}, pnyx {pnyx!r}"
            if redis == b"+QUEUED\r\n":
                queued[number].append(words)
            elif name in {b"EXEC", b"DISCARD"}:
                queued[number].clear()
    finally:
        for pair in pairs:
            for connection in pair:
                connection.close()


lines = st.lists(st.tuples(st.sampled_from([0, 0, 0, 1]), commands()), min_size=1, max_size=40)


@settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example],
)
@given(protocol=st.sampled_from([2, 3]), lines=lines)
def test_random_commands_get_the_replies_of_redis(
    ports: tuple[int, int], protocol: int, lines: list[Line]
) -> None:
    _compare(ports, protocol, lines)
