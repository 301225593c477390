"""AUTH: limits for strangers, slow guessing, no secrets where others can read."""

import time
from collections.abc import Iterator

import pytest

from gateway.running import Running, running
from pnyx.gateway.slowlog import SlowLog, without_secrets
from pnyx.gateway.throttle import Throttle

NOAUTH = b"-NOAUTH Authentication required.\r\n"
WRONG = b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"


@pytest.fixture
def guarded() -> Iterator[Running]:
    with running(requirepass="secret", limits={"login_ms": 1000}) as one:
        yield one


def test_strangers_get_nothing_but_the_words_to_log_in(guarded: Running) -> None:
    connection = guarded.connect()
    for words in ((b"GET", b"k"), (b"PING",), (b"INFO",), (b"MULTI",), (b"CONFIG", b"GET", b"*")):
        assert connection.ask(*words) == NOAUTH
    assert connection.ask(b"HELLO", b"3").startswith(b"-NOAUTH HELLO must be called")
    assert connection.ask(b"AUTH", b"wrong") == WRONG
    assert connection.ask(b"AUTH", b"other", b"secret") == WRONG
    assert connection.ask(b"AUTH", b"default", b"secret") == b"+OK\r\n"
    assert connection.ask(b"PING") == b"+PONG\r\n"


def test_hello_logs_in_and_greets(guarded: Running) -> None:
    connection = guarded.connect()
    reply = connection.ask(b"HELLO", b"3", b"AUTH", b"default", b"secret", b"SETNAME", b"me")
    assert reply.startswith(b"%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n")
    assert connection.ask(b"CLIENT", b"GETNAME") == b"$2\r\nme\r\n"


def test_the_limits_of_strangers_end_with_their_login(guarded: Running) -> None:
    connection = guarded.connect()
    login = b"*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n"
    large = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n" + b"v" * 100_000 + b"\r\n"
    connection.send_raw(login + large)
    assert (connection.reply(), connection.reply()) == (b"+OK\r\n", b"+OK\r\n")
    stranger = guarded.connect()
    stranger.send_raw(large)
    assert stranger.rest() == b"-ERR Protocol error: unauthenticated bulk length\r\n"


def test_a_stranger_who_says_nothing_is_dropped(guarded: Running) -> None:
    connection = guarded.connect()
    started = time.monotonic()
    assert connection.rest() == b""
    assert time.monotonic() - started < 5


def test_a_wall_clock_that_is_set_ahead_drops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that owed the password, or had been silent, were dropped when a clock was set."""
    with running(requirepass="secret", limits={"login_ms": 60_000, "idle_ms": 60_000}) as one:
        stranger, known = one.connect(), one.connect()
        assert known.ask(b"AUTH", b"secret") == b"+OK\r\n"
        ahead = time.time() + 3600
        monkeypatch.setattr(time, "time", lambda: ahead)
        looked = one.on_loop(lambda: one.gateway.lobby.now_ms)
        one.wait_for(lambda: one.gateway.lobby.now_ms != looked)
        assert stranger.ask(b"AUTH", b"secret") == b"+OK\r\n"
        assert b" age=3600" not in known.ask(b"CLIENT", b"LIST")


def test_a_stranger_who_reads_nothing_is_dropped_at_once(guarded: Running) -> None:
    connection = guarded.connect()
    connection._socket.settimeout(60)
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        connection.send_raw(b"*1\r\n$4\r\nPING\r\n" * 4_000_000)


def test_guesses_get_at_most_a_few_answers_a_second(guarded: Running) -> None:
    connections = [guarded.connect() for _ in range(20)]
    for connection in connections:
        connection.send_raw(b"*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n" * 50)
        connection._socket.settimeout(0.2)
    answered = 0
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        for connection in connections:
            try:
                answered += connection.reply() == WRONG
            except TimeoutError:
                continue
    assert answered <= 16


def test_a_right_guess_waits_as_long_as_a_wrong_one_and_then_clears_the_address() -> None:
    throttle = Throttle()
    for _ in range(5):
        throttle.failed("a", 100.0)
    assert throttle.delay_seconds("a", 100.0) == pytest.approx(0.2)
    assert throttle.delay_seconds("b", 100.0) == 0.0
    throttle.passed("a")
    assert throttle.delay_seconds("a", 100.0) == 0.0


def test_delays_double_up_to_half_a_minute_and_then_guesses_are_not_judged() -> None:
    throttle = Throttle()
    delays = []
    now = 0.0
    for _ in range(20):
        throttle.failed("a", now)
        delays.append(throttle.delay_seconds("a", now))
    assert delays[4:8] == sorted(delays[4:8], key=lambda each: each or 99.0)
    assert delays[-1] is None


def test_the_password_of_config_set_is_asked_from_then_on(guarded: Running) -> None:
    connection = guarded.connect()
    connection.ask(b"AUTH", b"secret")
    assert connection.ask(b"CONFIG", b"SET", b"requirepass", b"other") == b"+OK\r\n"
    assert guarded.connect().ask(b"AUTH", b"secret") == WRONG
    assert guarded.connect().ask(b"AUTH", b"other") == b"+OK\r\n"


@pytest.mark.parametrize(
    "wrong",
    [
        (b"maxclients", b"0"),
        (b"timeout", b"x"),
        (b"appendonly", b"no"),
        (b"port", b"1"),
        (b"x", b"1"),
    ],
    ids=lambda wrong: wrong[0].decode(),
)
def test_a_config_set_that_fails_changes_nothing(
    guarded: Running, wrong: tuple[bytes, bytes]
) -> None:
    connection = guarded.connect()
    connection.ask(b"AUTH", b"secret")
    failed = connection.ask(
        b"CONFIG", b"SET", b"slowlog-max-len", b"7", b"requirepass", b"", *wrong
    )
    assert failed.startswith(b"-ERR ")
    assert guarded.connect().ask(b"PING") == NOAUTH
    shown = connection.ask(b"CONFIG", b"GET", b"slowlog-max-len")
    assert shown == b"*2\r\n$15\r\nslowlog-max-len\r\n$3\r\n128\r\n"


def test_slow_requests_are_kept_without_passwords() -> None:
    log = SlowLog()
    log.note(1, [b"AUTH", b"secret"], 0, "a", b"")
    log.note(1, [b"hello", b"3", b"AUTH", b"default", b"secret"], 0, "a", b"")
    log.note(1, [b"CONFIG", b"SET", b"requirepass", b"secret", b"timeout", b"1"], 0, "a", b"")
    assert all(b"secret" not in word for event in log.newest(-1) for word in event.words)
    assert without_secrets([b"SET", b"k", b"v"]) == [b"SET", b"k", b"v"]


def test_the_slow_log_shortens_what_it_keeps_and_forgets_the_oldest() -> None:
    log = SlowLog()
    log.length_max = 2
    for number in range(4):
        log.note(number, [b"SET", b"x" * 1000, *[b"y"] * 100], 0, "a", b"")
    newest = log.newest(10)
    assert [event.id for event in newest] == [3, 2]
    assert len(newest[0].words) == 32
    assert newest[0].words[1] == b"x" * 128 + b"... (872 more bytes)"
    assert newest[0].words[-1] == b"... (71 more arguments)"
