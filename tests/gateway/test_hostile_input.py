"""Vectors of real attacks on Redis servers: refused, cheap, survived."""

import resource
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from differential.raw import RawConnection
from gateway.local import free_port
from gateway.running import Running, running
from gateway.test_connection import written
from pnyx.ids import GroupId
from pnyx.machine.commands import BitField
from pnyx.replica.requests import Request

LOCAL = Path(__file__).parent / "local.py"
MIB_KIB = 1024


def resident_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


PIECES = [
    written(b"SET", b"k", b"v"), written(b"GET", b"k"), written(b"MULTI"), written(b"EXEC"),
    written(b"WATCH", b"k"), written(b"CLIENT", b"REPLY", b"SKIP"), written(b"HELLO", b"3"),
    written(b"RESET"), written(b"CLIENT", b"REPLY", b"OFF"), written(b"INFO"), written(b"COMMAND"),
    written(b"LCS", b"k", b"k", b"IDX"), written(b"BITFIELD", b"k", b"SET", b"u8", b"#1", b"7"),
    written(b"CLIENT", b"LIST"), written(b"CONFIG", b"GET", b"*"), written(b"SCAN", b"0"),
    written(b"OBJECT", b"FREQ", b"k"), written(b"CLUSTER", b"NODES"), written(b"DISCARD"),
]  # fmt: skip


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    stream=st.lists(st.sampled_from(PIECES), min_size=1, max_size=12).map(b"".join),
    changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4),
    cluster=st.booleans(),
)
def test_a_mutated_stream_is_answered_or_hung_up_on_and_nothing_is_raised(
    shared: Running, stream: bytes, changes: list[tuple[int, int]], cluster: bool
) -> None:
    spoiled = bytearray(stream)
    for at, byte in changes:
        spoiled[at % len(spoiled)] = byte
    address = shared.store.settings.me
    port = address.cluster_port if cluster else address.gateway_port
    with socket.create_connection(("127.0.0.1", port), timeout=10) as one:
        one.sendall(bytes(spoiled))
        one.shutdown(socket.SHUT_WR)
        while one.recv(65_536):
            pass


def test_who_sends_too_large_a_value_whole_reads_why_it_was_refused(shared: Running) -> None:
    port = shared.store.settings.me.gateway_port
    value = bytes(shared.store.settings.limits.value_bytes_max + 4 * MIB_KIB * MIB_KIB)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as one:
        one.sendall(written(b"SET", b"k", value))
        said = b""
        while more := one.recv(65_536):
            said += more
    assert said == b"-ERR Protocol error: invalid bulk length\r\n"


VECTORS = {
    "CVE-2021-32675 huge count": b"*1048576\r\n$1048576\r\n",
    "CVE-2025-46686 many words": b"*1000000\r\n" + b"$1\r\na\r\n" * 5000,
    "nested arrays": b"*999\r\n$1\r\na\r\n" * 2000,
    "endless inline": b"x" * 60_000,
    "half a command": written(b"SET", b"k", b"v")[:-3],
    "count that overflows": b"*4294967295\r\n",
    "count out of range": b"*200000000\r\n",
    "length that overflows": b"*1\r\n$9223372036854775807\r\n",
    "map": b"%1\r\n*0\r\n$1\r\na\r\n" * 100,
}


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_a_hundred_clients_with_a_vector_cost_little_and_hurt_nobody(
    gateway: Running, vector: bytes
) -> None:
    connections = [gateway.connect() for _ in range(100)]
    before = resident_kib()
    for connection in connections:
        connection.send_raw(vector)
    started = time.monotonic()
    assert gateway.connect().ask(b"PING") == b"+PONG\r\n"
    assert time.monotonic() - started < 5
    assert resident_kib() - before < 100 * MIB_KIB
    for connection in connections:
        connection.close()


PATTERNS = [b"a*" * 500 + b"b", b"*" * 1000, b"[" * 1000, b"?*" * 500, b"[a-z]*" * 150 + b"!"]


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern[:6].decode())
def test_no_pattern_takes_long(gateway: Running, pattern: bytes) -> None:
    connection = gateway.connect()
    connection.ask(b"SET", b"a" * 1000, b"v")
    for words in ((b"KEYS", pattern), (b"SCAN", b"0", b"MATCH", pattern)):
        started = time.monotonic()
        assert connection.ask(*words)[:1] in b"*-"
        assert time.monotonic() - started < 1
    assert connection.ask(b"CONFIG", b"GET", pattern)[:1] in b"*-"
    assert connection.ask(b"COMMAND", b"LIST", b"FILTERBY", b"PATTERN", pattern)[:1] in b"*-"


def test_a_config_get_of_many_patterns_is_cheap_or_refused(gateway: Running) -> None:
    """It compiled each of thousands, and a leader lost its place in three seconds."""
    connection = gateway.connect()
    one = b"*2\r\n$4\r\nsave\r\n$0\r\n\r\n"
    for words, reply in (
        ([b"sav*"] * 16_000, one),
        ([b"save"] * 8_000 + [b"x%d" % n for n in range(8_000)], one),
        (
            [b"x*%d" % n for n in range(16_000)],
            b"-ERR PX0201 the patterns of one CONFIG GET may have",
        ),
    ):
        began = time.process_time()
        assert connection.ask(b"CONFIG", b"GET", *words).startswith(reply)
        assert time.process_time() - began < 1


def test_config_get_shows_a_name_as_it_was_asked_and_each_once(gateway: Running) -> None:
    connection = gateway.connect()
    shown = connection.ask(b"CONFIG", b"GET", b"MAXMEMORY", b"maxmemory", b"maxm?mory")
    assert shown == b"*2\r\n$9\r\nMAXMEMORY\r\n$1\r\n0\r\n"
    assert connection.ask(b"CONFIG", b"GET", b"MAXM?MORY", b"maxmemory") == shown.lower()
    assert connection.ask(b"CONFIG", b"GET", b"max\\memory") == b"*0\r\n"


OVERFLOWS = [
    (b"SETRANGE", b"k", b"9223372036854775807", b"x"), (b"SETRANGE", b"k", b"536870911", b"x"),
    (b"SETBIT", b"k", b"4294967295", b"1"), (b"GETRANGE", b"k", b"-9223372036854775808", b"-1"),
    (b"BITFIELD", b"k", b"SET", b"u63", b"#9223372036854775807", b"1"),
    (b"BITFIELD", b"k", b"GET", b"i64", b"4294967295"), (b"INCRBY", b"k", b"9223372036854775808"),
    (b"MSETNX", b"k", b"1", b"k", b"2"), (b"LCS", b"k", b"k"), (b"COMMAND", b"GETKEYS", b"MSET"),
    (b"SCAN", b"18446744073709551615", b"COUNT", b"9223372036854775807"),
    (b"CLUSTER", b"GETKEYSINSLOT", b"0", b"9223372036854775807"),
    (b"SLOWLOG", b"GET", b"9223372036854775807"), (b"COMMAND", b"GETKEYS", b"LCS", b"a"),
]  # fmt: skip


@pytest.mark.parametrize("words", OVERFLOWS, ids=lambda words: b" ".join(words)[:40].decode())
def test_a_number_at_its_limit_gets_one_reply(gateway: Running, words: tuple[bytes, ...]) -> None:
    for cluster in (False, True):
        connection = gateway.connect(cluster=cluster)
        assert connection.ask(*words)
        assert connection.ask(b"PING") == b"+PONG\r\n"


def test_a_transaction_may_not_grow_without_end(gateway: Running) -> None:
    connection = gateway.connect()
    connection.ask(b"MULTI")
    value = b"v" * 1024 * 1024
    replies = [connection.ask(b"SET", b"k", value) for _ in range(9)]
    assert replies[6:] == [b"+QUEUED\r\n", replies[7], replies[7]]
    assert replies[7].startswith(b"-ERR PX0201 ")
    assert connection.ask(b"EXEC").startswith(b"-EXECABORT ")


def test_a_transaction_has_few_commands_that_the_node_answers_itself(gateway: Running) -> None:
    """EXEC answered 16,384 of them in one turn."""
    connection = gateway.connect()
    words = [(b"MULTI",), *[(b"COMMAND",)] * 64, (b"GET", b"k"), (b"COMMAND",), (b"EXEC",)]
    said = connection.ask_all(words)
    assert set(said[1:-2]) == {b"+QUEUED\r\n"}
    assert said[-2].startswith(b"-ERR PX0201 a transaction may have 64 commands that this node ")
    assert said[-1].startswith(b"-EXECABORT ")


def test_a_node_short_of_files_refuses_clients_and_goes_on() -> None:
    port = free_port()
    ports = ["--gateway-port", str(port), "--cluster-port", str(free_port())]
    environment = {"PYTHONPATH": f"{LOCAL.parents[1]}"}

    program = ["sh", "-c", 'ulimit -n 64 && exec "$@"', "sh", sys.executable, str(LOCAL), *ports]
    with subprocess.Popen(program, stdout=subprocess.PIPE, env=environment) as node:
        assert node.stdout is not None
        assert node.stdout.readline() == b"READY\n"
        connections = [RawConnection("127.0.0.1", port) for _ in range(90)]
        replies = [connection.ask(b"PING") for connection in connections]
        for connection in connections:
            connection.close()
        time.sleep(0.2)
        last = RawConnection("127.0.0.1", port)
        answered = last.ask(b"PING")
        last.close()
        node.terminate()
    assert answered == b"+PONG\r\n"
    assert replies.count(b"+PONG\r\n") == 32
    assert set(replies) == {b"+PONG\r\n", b"-ERR max number of clients reached\r\n"}


def test_a_flood_of_commands_is_answered_and_lets_others_through(gateway: Running) -> None:
    flood, other = gateway.connect(), gateway.connect()
    flood._socket.settimeout(60)
    flood.send_raw(b"PING\r\n" * 50_000)
    times = []
    for _ in range(20):
        started = time.monotonic()
        assert other.ask(b"PING") == b"+PONG\r\n"
        times.append(time.monotonic() - started)
    flood.send_raw(b"QUIT\r\n")
    assert flood.rest() == b"+PONG\r\n" * 50_000 + b"+OK\r\n"
    assert sorted(times)[10] < 0.2


def test_dear_local_commands_in_a_pipeline_let_others_through(gateway: Running) -> None:
    """A turn counted commands, not time: a leader lost its place within one."""
    flood, other = gateway.connect(), gateway.connect()
    dear = written(b"CONFIG", b"GET", *[b"?*%d" % n for n in range(60)])
    flood.send_raw(dear * 1000)
    times = []
    for _ in range(5):
        started = time.monotonic()
        assert other.ask(b"PING") == b"+PONG\r\n"
        times.append(time.monotonic() - started)
    assert flood.reply() == b"*0\r\n"
    assert max(times) < 0.5


LONG = {
    "a write": [b"BITFIELD", b"k", *[b"SET", b"u8", b"0", b"1"] * 4096],
    "a read": [b"BITFIELD_RO", b"k", *[b"GET", b"u8", b"0"] * 5461],
    "many keys": [b"DEL", *[b"k"] * 16_384],
    "a local one": [b"CLIENT", b"KILL", *[b"ID", b"9"] * 8192],
}


@pytest.mark.parametrize("words", LONG.values(), ids=LONG)
def test_a_command_of_too_many_words_is_refused_and_one_with_less_is_done(
    gateway: Running, words: list[bytes]
) -> None:
    """260,000 steps of a BITFIELD held up all nodes of a group for seconds: it lost its leader."""
    connection = gateway.connect()
    refused = b"-ERR PX0201 a command may have 16384 words; nothing was done, send less at once\r\n"
    assert connection.ask(*words) == refused
    assert connection.ask(b"EXISTS", b"k") == b":0\r\n"
    assert connection.ask(*words[:-12])[:1] in b"*:"
    connection.ask(b"MULTI")
    assert connection.ask(*words) == refused
    assert connection.ask(b"EXEC").startswith(b"-EXECABORT ")


def test_a_transaction_has_no_more_words_than_are_done_in_a_turn(gateway: Running) -> None:
    connection = gateway.connect()
    connection.ask(b"MULTI")
    dels = [connection.ask(b"DEL", *[b"k"] * 13_000) for _ in range(6)]
    assert dels[:5] == [b"+QUEUED\r\n"] * 5
    assert dels[5].startswith(b"-ERR PX0201 a transaction may have 16384 commands, 65536 words and")
    assert connection.ask(b"EXEC").startswith(b"-EXECABORT ")


def test_few_words_are_submitted_together_however_short_they_are(gateway: Running) -> None:
    """A run was measured by the bytes of its words: many steps of BITFIELD have few."""
    connection = gateway.connect()
    given: list[int] = []
    submit = gateway.store.submit

    def noted(group: GroupId, request: Request) -> None:
        given.append(sum([len(each.steps) for each in request.commands if type(each) is BitField]))
        submit(group, request)

    gateway.store.submit = noted  # type: ignore[method-assign]
    connection.send_raw(written(b"DEBUG", b"SLEEP", b"0.2"))
    connection.send_raw(written(b"BITFIELD", b"k", *[b"SET", b"u8", b"0", b"1"] * 2000) * 40)
    assert connection.reply() == b"+OK\r\n"
    assert all(connection.reply().startswith(b"*2000\r\n") for _ in range(40))
    assert 2000 <= max(given) < 6000


def test_a_long_command_is_read_in_turns_with_others(gateway: Running) -> None:
    """uvloop gave all that had arrived of it in one turn, megabytes: seconds of parsing."""
    flood, other = gateway.connect(), gateway.connect()
    long = written(b"MGET", *[b"k"] * 1_000_000)
    said: list[bytes] = []

    def ask() -> None:
        flood.send_raw(long)
        said.append(flood.reply())

    sender = threading.Thread(target=ask)
    sender.start()
    answered = 0
    while sender.is_alive():
        assert other.ask(b"PING") == b"+PONG\r\n"
        answered += 1
    assert said[0].startswith(b"-ERR PX0201 a command may have 16384 words")
    assert answered > 15


def test_a_command_is_described_again_from_the_bytes_of_the_first_time(gateway: Running) -> None:
    connection = gateway.connect()
    one = connection.ask(b"COMMAND", b"INFO", b"get").removeprefix(b"*1\r\n")
    for words in (1024, 16_000):
        began = time.process_time()
        many = connection.ask(b"COMMAND", b"INFO", *[b"get"] * words)
        assert time.process_time() - began < 0.5
        assert many == b"*1024\r\n" + one * 1024 or many.startswith(b"-ERR PX0201 at most 1024 ")
    assert connection.ask(b"COMMAND", b"DOCS", *[b"get"] * 16_000).startswith(b"-ERR PX0201 ")
    connection.ask(b"HELLO", b"3")
    assert connection.ask(b"COMMAND", b"INFO", b"get").startswith(
        b"*1\r\n*10\r\n$3\r\nget\r\n:2\r\n~"
    )


def test_stalled_clients_do_not_slow_others() -> None:
    with running() as one:
        talker = one.connect()
        talker.ask(b"SET", b"big", b"v" * 1_000_000)
        for number in range(50):
            stalled = one.connect()
            stalled.send_raw(written(b"GET", b"big") * 20 if number % 2 else b"*2\r\n$3\r\nGE")
        times = []
        for _ in range(200):
            started = time.monotonic()
            assert talker.ask(b"PING") == b"+PONG\r\n"
            times.append(time.monotonic() - started)
        assert sorted(times)[100] < 0.05
