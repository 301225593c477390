"""PNYX.STALE on a socket: silent, for one read, answered by whoever is asked."""

import pytest

from gateway.local import OTHER
from gateway.running import Running
from gateway.test_connection import written

STALE = written(b"PNYX.STALE")


def shown(gateway: Running) -> list[tuple[bool, bool, int]]:
    """(stale, forward, commands) of what was submitted since the last time."""
    found = [(one.stale, one.forward, len(one.commands)) for one in gateway.store.submitted]
    gateway.store.submitted.clear()
    return found


@pytest.fixture
def watched(gateway: Running) -> Running:
    gateway.store.submitted.clear()
    gateway.store.keeps_submitted = True
    return gateway


@pytest.mark.parametrize("cluster", [False, True])
def test_one_read_may_be_stale_and_the_next_may_not(watched: Running, cluster: bool) -> None:
    connection = watched.connect(cluster=cluster)
    assert connection.ask(b"SET", b"k", b"v") == b"+OK\r\n"
    shown(watched)
    connection.send_raw(STALE + written(b"GET", b"k") + written(b"GET", b"k"))
    assert [connection.reply() for _ in range(2)] == [b"$1\r\nv\r\n"] * 2
    assert shown(watched) == [(True, True, 1), (False, not cluster, 1)]


def test_stale_reads_of_a_pipeline_share_requests_and_never_with_others(watched: Running) -> None:
    connection = watched.connect()
    sent = [STALE + written(b"GET", b"k")] * 3 + [written(b"INCR", b"k")] * 2
    connection.send_raw(b"".join(sent + sent) + written(b"PING"))
    replies = [connection.reply() for _ in range(11)]
    assert replies == [
        *[b"$-1\r\n"] * 3, b":1\r\n", b":2\r\n", *[b"$1\r\n2\r\n"] * 3, b":3\r\n", b":4\r\n",
        b"+PONG\r\n",
    ]  # fmt: skip
    found = shown(watched)
    assert sum(count for stale, _, count in found if stale) == 6
    assert sum(count for stale, _, count in found if not stale) == 4
    assert len(found) <= 5


def test_a_follower_answers_it_on_the_cluster_port_and_sends_nobody_away(watched: Running) -> None:
    connection = watched.connect(cluster=True)
    watched.store.leader = OTHER
    assert connection.ask(b"GET", b"k").startswith(b"-MOVED")
    connection.send_raw(STALE + written(b"GET", b"k"))
    assert connection.reply() == b"$-1\r\n"
    assert shown(watched)[-1] == (True, True, 1)


@pytest.mark.parametrize(
    "words",
    [(b"SET", b"k", b"v"), (b"DBSIZE",), (b"PING",), (b"MULTI",), (b"SCAN", b"0"), (b"INCR", b"k")],
)
def test_before_anything_but_a_read_of_keys_it_is_refused(
    watched: Running, words: tuple[bytes, ...]
) -> None:
    connection = watched.connect()
    connection.send_raw(STALE + written(*words) + written(b"GET", b"k"))
    assert connection.reply().startswith(b"-ERR PX0218")
    assert connection.reply() == b"$-1\r\n"
    assert [stale for stale, *_ in shown(watched)] == [False]


def test_with_words_or_in_multi_it_is_refused(watched: Running) -> None:
    connection = watched.connect()
    connection.send_raw(written(b"PNYX.STALE", b"x") + written(b"GET", b"k"))
    assert connection.reply().startswith(b"-ERR PX0218")
    assert connection.ask(b"MULTI") == b"+OK\r\n"
    connection.send_raw(STALE + written(b"GET", b"k"))
    assert connection.reply().startswith(b"-ERR PX0218")
    assert connection.ask(b"EXEC").startswith(b"-EXECABORT")


def test_keys_of_many_groups_are_read_from_each(watched: Running) -> None:
    connection = watched.connect()
    connection.send_raw(STALE + written(b"MGET", b"a", b"b", b"c"))
    assert connection.reply() == b"*3\r\n$-1\r\n$-1\r\n$-1\r\n"
    assert all(stale for stale, *_ in shown(watched))


def test_prefixes_in_any_spelling_are_prefixes(watched: Running) -> None:
    connection = watched.connect()
    connection.send_raw(written(b"pNYX.sTALE") + written(b"GET", b"k"))
    assert connection.reply() == b"$-1\r\n"
    assert shown(watched) == [(True, True, 1)]
    connection.send_raw(written(b"pNYX.sEQ", b"x") + written(b"INCR", b"k"))
    assert connection.reply().startswith(b"-ERR PX0214")
    assert connection.ask(b"INCR", b"k") == b":1\r\n"
