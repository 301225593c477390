"""PNYX.SEQ and its kin on a socket: silent, for the next command only, in every dialect."""

import time

import pytest

from gateway.running import Running
from gateway.test_connection import written
from pnyx.machine.once import DEADLINE_PASSED, OTHER_USER, REUSED
from pnyx.replica.requests import Unknown

SESSION = b"00112233445566778899aabbccddeeff"


def prefix(
    sequence: int, ack: int = 0, *, session: bytes = SESSION, ahead_ms: int = 60_000
) -> bytes:
    deadline = int(time.time() * 1000) + ahead_ms
    return written(b"PNYX.SEQ", session, b"%d" % sequence, b"%d" % ack, b"%d" % deadline)


def fresh(gateway: Running) -> bytes:
    """Return a session that no other test has used."""
    reply = gateway.connect().ask(b"PNYX.SESSION")
    return reply.split(b"\r\n")[2]


@pytest.mark.parametrize("cluster", [False, True])
def test_a_retry_on_another_connection_gets_the_first_answer(
    gateway: Running, cluster: bool
) -> None:
    session = fresh(gateway)
    sent = prefix(1, session=session) + written(b"INCR", b"k")
    for _ in range(2):
        connection = gateway.connect(cluster=cluster)
        connection.send_raw(sent)
        assert connection.reply() == b":1\r\n"
        assert connection.ask(b"GET", b"k") == b"$1\r\n1\r\n"


def test_prefixes_work_in_a_pipeline_and_between_commands_without(gateway: Running) -> None:
    session, connection = fresh(gateway), gateway.connect()
    sent = [
        prefix(n, session=session) + written(b"INCR", b"k") + written(b"INCR", b"plain")
        for n in (1, 2, 1, 2)
    ]
    connection.send_raw(b"".join(sent) + written(b"PING"))
    replies = [connection.reply() for _ in range(9)]
    assert replies[:-1:2] == [b":1\r\n", b":2\r\n", b":1\r\n", b":2\r\n"]
    assert replies[1::2] == [b":1\r\n", b":2\r\n", b":3\r\n", b":4\r\n"]
    assert replies[-1] == b"+PONG\r\n"


def test_a_prefix_that_comes_alone_is_for_the_command_that_comes_later(gateway: Running) -> None:
    session, clients = fresh(gateway), gateway.gateway.lobby.clients
    for _ in range(2):
        connection = gateway.connect()
        connection.ask(b"PING")
        connection.send_raw(prefix(1, session=session))
        gateway.wait_for(lambda: any(each.prefix is not None for each in clients.values()))
        assert connection.ask(b"INCR", b"k") == b":1\r\n"
        assert connection.ask(b"GET", b"k") == b"$1\r\n1\r\n"


def test_the_prefix_is_for_one_command_even_if_that_writes_nothing(gateway: Running) -> None:
    session, connection = fresh(gateway), gateway.connect()
    for words in ((b"GET", b"k"), (b"PING",), (b"NONE",), (b"RESET",)):
        connection.send_raw(prefix(1, session=session) + written(*words) + written(b"INCR", b"k"))
        connection.reply()
        connection.reply()
    assert connection.ask(b"GET", b"k") == b"$1\r\n4\r\n"


def test_exec_is_done_once_and_answers_again_whatever_was_watched(gateway: Running) -> None:
    session = fresh(gateway)
    for _ in range(2):
        connection = gateway.connect()
        connection.ask(b"WATCH", b"k")
        for words in ((b"MULTI",), (b"INCR", b"k"), (b"PING",), (b"GET", b"k")):
            connection.ask(*words)
        connection.send_raw(prefix(1, session=session) + written(b"EXEC"))
        assert connection.reply() == b"*3\r\n:1\r\n+PONG\r\n$1\r\n1\r\n"


def test_a_client_that_waited_hears_what_one_hears_that_comes_with_two_commands(
    gateway: Running,
) -> None:
    session = fresh(gateway)
    write, read = written(b"SET", b"k", b"v"), written(b"GET", b"k")
    first, wrong = prefix(1, session=session), written(b"PNYX.SEQ", session, b"0", b"0", b"9")
    chunks = [first + write, first + write, first + written(b"DEL", b"k")]
    chunks += [first + each for each in (read, written(b"PING"), written(b"SET", b"k"), first)]
    chunks += [wrong + write, written(b"PING") + write, write + read, first, write, read + first]
    end = written(b"ECHO", b"end")
    for chunk in chunks:
        heard = []
        for waited in (False, True):
            connection = gateway.connect()
            if waited:
                connection.ask(b"PING")
            for part in (chunk, end) if waited else (chunk + end,):
                connection.send_raw(part)
            heard.append([connection.reply()])
            while heard[-1][-1] != b"$3\r\nend\r\n":
                heard[-1].append(connection.reply())
        assert heard[0] == heard[1]


@pytest.mark.parametrize(
    "words",
    [
        (b"PNYX.SEQ",),
        (b"PNYX.SEQ", SESSION, b"1", b"0"),
        (b"PNYX.SEQ", SESSION[1:], b"1", b"0", b"9"),
        (b"PNYX.SEQ", b"g" * 32, b"1", b"0", b"9"),
        (b"PNYX.SEQ", SESSION, b"0", b"0", b"9"),
        (b"PNYX.SEQ", SESSION, b"1", b"-1", b"9"),
        (b"PNYX.SEQ", SESSION, b"1", b"0", b"x"),
        (b"PNYX.SEQ", SESSION, b"01", b"0", b"9"),
        (b"PNYX.SEQ", SESSION, b"1", b"00", b"9"),
        (b"PNYX.SEQ", SESSION, b"1", b"0", b"+9"),
        (b"PNYX.SEQ", SESSION, b"1", b"0", b"%d" % 2**63),
        (b"PNYX.SEQ", SESSION, b"1", b"0", b"9" * 5000),
    ],
)
def test_a_wrong_prefix_is_the_reply_of_the_command_after_it(
    gateway: Running, words: tuple[bytes, ...]
) -> None:
    connection = gateway.connect()
    connection.send_raw(written(*words) + written(b"SET", b"k", b"v") + written(b"GET", b"k"))
    assert connection.reply().startswith(b"-ERR PX0214 ")
    assert connection.reply() == b"$-1\r\n"


def test_what_has_no_one_slot_is_refused_in_a_session(gateway: Running) -> None:
    connection = gateway.connect()
    for words, refusal in (
        ((b"MSET", b"a", b"1", b"b", b"2"), b"-CROSSSLOT "),
        ((b"DEL", b"a", b"b"), b"-CROSSSLOT "),
        ((b"FLUSHALL",), b"-ERR PX0215 "),
    ):
        connection.send_raw(prefix(1) + written(*words))
        assert connection.reply().startswith(refusal)
    for words in ((b"MULTI",), (b"SET", b"a", b"1"), (b"SET", b"b", b"1")):
        connection.ask(*words)
    connection.send_raw(prefix(1) + written(b"EXEC"))
    assert connection.reply().startswith(b"-CROSSSLOT ")
    assert connection.ask(b"EXISTS", b"a", b"b") == b":0\r\n"
    connection.send_raw(
        prefix(1, session=fresh(gateway)) + written(b"MSET", b"{a}1", b"", b"{a}2", b"")
    )
    assert connection.reply() == b"+OK\r\n"


def test_the_machine_s_refusals_are_the_reply(gateway: Running) -> None:
    session, connection = fresh(gateway), gateway.connect()
    connection.send_raw(prefix(1, session=session) + written(b"INCR", b"k"))
    connection.reply()
    connection.send_raw(prefix(1, session=session) + written(b"DECR", b"k"))
    assert connection.reply() == b"-%b\r\n" % REUSED.text.encode()
    connection.send_raw(prefix(2, session=session, ahead_ms=-1) + written(b"INCR", b"k"))
    assert connection.reply() == b"-%b\r\n" % DEADLINE_PASSED.text.encode()
    for client in gateway.gateway.lobby.clients.values():
        client.user = b"somebody else"
    connection.send_raw(prefix(2, session=session) + written(b"INCR", b"k"))
    assert connection.reply() == b"-%b\r\n" % OTHER_USER.text.encode()


def test_an_unknown_outcome_says_that_a_session_may_send_again(gateway: Running) -> None:
    connection = gateway.connect()
    gateway.store.answer = lambda _request: Unknown()
    connection.send_raw(prefix(1) + written(b"INCR", b"k"))
    reply = connection.reply()
    assert reply.startswith(b"-UNKNOWN PX0203 ")
    assert b"same sequence" in reply


def test_a_reply_that_is_skipped_is_the_next_command_s_not_the_prefix_s(gateway: Running) -> None:
    connection = gateway.connect()
    connection.send_raw(
        written(b"CLIENT", b"REPLY", b"SKIP")
        + prefix(1, session=fresh(gateway))
        + written(b"INCR", b"k")
        + written(b"GET", b"k")
    )
    assert connection.reply() == b"$1\r\n1\r\n"


def test_a_stranger_hears_nothing_of_the_prefix_and_noauth_of_the_command(
    gateway: Running,
) -> None:
    gateway.on_loop(lambda: gateway.gateway.lobby.set_password(b"secret"))
    try:
        connection = gateway.connect()
        connection.send_raw(prefix(1) + written(b"INCR", b"k"))
        assert connection.reply().startswith(b"-NOAUTH ")
    finally:
        gateway.on_loop(lambda: gateway.gateway.lobby.set_password(b""))


@pytest.mark.parametrize("cluster", [False, True])
def test_a_session_is_told_its_name_the_clock_the_longest_deadline_and_the_window(
    gateway: Running, cluster: bool
) -> None:
    now_ms = gateway.store.clock_ms()
    reply = gateway.connect(cluster=cluster).ask(b"PNYX.SESSION").split(b"\r\n")
    assert (reply[0], len(bytes.fromhex(reply[2].decode()))) == (b"*4", 16)
    assert 0 <= int(reply[3][1:]) - now_ms < 10_000
    assert reply[4:6] == [b":3600000", b":16"]
    clock = gateway.connect(cluster=cluster).ask(b"PNYX.CLOCK", b"k")
    assert 0 <= int(clock[1:]) - now_ms < 10_000


def test_a_value_is_read_with_its_revision_and_set_only_at_it(gateway: Running) -> None:
    connection = gateway.connect()
    assert connection.ask(b"PNYX.GETV", b"k") == b"$-1\r\n"
    first = connection.ask(b"PNYX.CAS", b"k", b"0", b"v", b"PX", b"60000")
    assert connection.ask(b"PNYX.CAS", b"k", b"0", b"w") == b"$-1\r\n"
    assert connection.ask(b"PNYX.GETV", b"k") == b"*2\r\n$1\r\nv\r\n" + first
    assert connection.ask(b"PNYX.CAS", b"k", first[1:-2], b"w", b"KEEPTTL") > first
    assert connection.ask(b"TTL", b"k") == b":60\r\n"
    for wrong in ((b"-1", b"v"), (b"x", b"v"), (b"1", b"v", b"NX"), (b"1", b"v", b"GET")):
        assert connection.ask(b"PNYX.CAS", b"k", *wrong).startswith(b"-ERR ")


def test_a_revision_that_was_read_can_be_watched_on_another_connection(gateway: Running) -> None:
    first = gateway.connect().ask(b"PNYX.CAS", b"k", b"0", b"v")[1:-2]
    for revision, reply in ((first, b"*1\r\n+OK\r\n"), (first, b"*-1\r\n")):
        connection = gateway.connect()
        assert connection.ask(b"PNYX.WATCH", b"k", revision) == b"+OK\r\n"
        connection.ask(b"MULTI")
        connection.ask(b"SET", b"k", b"w")
        assert connection.ask(b"EXEC") == reply


def test_runs_of_writes_in_sessions_grow_as_those_of_others_do(gateway: Running) -> None:
    session, connection = fresh(gateway), gateway.connect()
    gateway.store.keeps_submitted = True
    for start in range(0, 64, 16):
        gateway.store.submitted.clear()
        numbers = range(start + 1, start + 17)
        sent = [prefix(n, start, session=session) + written(b"INCR", b"k") for n in numbers]
        connection.send_raw(b"".join(sent))
        assert [connection.reply() for _ in numbers] == [b":%d\r\n" % n for n in numbers]
    assert len(gateway.store.submitted) == 1, "sixteen writes are one request by now"
