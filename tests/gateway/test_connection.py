"""What one socket may do to a node: garbage, floods, silence, slowness, half-closing."""

import socket
import time

import pytest

from gateway.running import Running, running
from pnyx.machine.commands import Get
from pnyx.machine.results import Refusal
from pnyx.replica.requests import Answer, Done, NotDone, Reason, Request, Unknown

MIB = 1024 * 1024


def written(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)


def alive(gateway: Running) -> bool:
    return gateway.connect().ask(b"PING") == b"+PONG\r\n"


def test_pipelined_commands_are_answered_in_order_and_submitted_together(gateway: Running) -> None:
    connection = gateway.connect()
    connection.ask(b"SET", b"warm", b"1")
    gateway.store.keeps_submitted = True
    commands = [(b"SET", b"k", b"1"), (b"INCR", b"k"), (b"PING",), (b"GET", b"k")]
    connection.send_raw(b"".join(written(*words) for words in commands))
    replies = [connection.reply() for _ in range(4)]
    submitted, gateway.store.submitted = gateway.store.submitted, []
    gateway.store.keeps_submitted = False
    assert replies == [b"+OK\r\n", b":2\r\n", b"+PONG\r\n", b"$1\r\n2\r\n"]
    assert [len(request.commands) for request in submitted] == [3]
    assert submitted[0].by_log


@pytest.mark.parametrize("cluster", [False, True])
def test_a_command_alone_hears_what_it_hears_in_company(gateway: Running, cluster: bool) -> None:
    commands = [
        (b"SET", b"k", b"v"), (b"GET", b"k"), (b"GET", b"none"), (b"INCR", b"k"), (b"STRLEN", b"k"),
        (b"SET", b"k", b"1", b"NX"), (b"SET", b"k", b"1", b"OH"), (b"GET",), (b"NONE", b"k"),
        (b"HELLO", b"3"), (b"GET", b"none"), (b"MULTI",), (b"SET", b"k", b"5"), (b"INCR", b"k"),
        (b"EXEC",), (b"GET", b"k"), (b"MGET", b"{k}1", b"2"), (b"SET", b"k", b"x" * 5000),
        (b"GET", b"k"), (b"DEL", b"k"), (b"RESET",), (b"GET", b"k"), (b"PING",),
    ]  # fmt: skip
    alone, together = gateway.connect(cluster=cluster), gateway.connect(cluster=cluster)
    apart = [alone.ask(*words) for words in commands]
    together.send_raw(b"".join(written(*words) for words in commands))
    replies = [together.reply() for _ in commands]
    id_of_client = commands.index((b"HELLO", b"3"))
    del apart[id_of_client], replies[id_of_client]
    assert apart == replies


def test_what_comes_while_a_command_is_under_way_is_answered_after_it(gateway: Running) -> None:
    connection = gateway.connect()
    connection.ask(b"SET", b"k", b"1")
    gateway.store.is_held = True
    connection.send_raw(written(b"INCR", b"k"))
    gateway.wait_for(lambda: gateway.store.waiting == 1)
    connection.send_raw(written(b"GET", b"k") + written(b"PING") + b"*2\r\n$3\r\nGET\r\n")
    lobby = gateway.gateway.lobby
    gateway.wait_for(lambda: any(one.held_bytes()[0] for one in lobby.connections.values()))
    gateway.on_loop(gateway.store.release)
    assert [connection.reply() for _ in range(3)] == [b":2\r\n", b"$1\r\n2\r\n", b"+PONG\r\n"]
    connection.send_raw(b"$1\r\nk\r\n")
    assert connection.reply() == b"$1\r\n2\r\n"


def test_a_command_alone_is_answered_to_who_has_hung_up_its_half(gateway: Running) -> None:
    connection = gateway.connect()
    connection.ask(b"SET", b"k", b"1")
    gateway.store.is_held = True
    connection.send_raw(written(b"INCR", b"k"))
    gateway.wait_for(lambda: gateway.store.waiting == 1)
    connection._socket.shutdown(socket.SHUT_WR)
    connections = gateway.gateway.lobby.connections
    gateway.wait_for(lambda: any(one._has_ended for one in connections.values()))  # type: ignore[attr-defined]
    gateway.on_loop(gateway.store.release)
    assert connection.rest() == b":2\r\n"


def test_a_request_is_slow_above_a_tenth_of_a_second_or_what_is_set(gateway: Running) -> None:
    connection = gateway.connect()
    asked = connection.ask(b"CONFIG", b"GET", b"slowlog-log-slower-than")
    assert asked.endswith(b"\r\n$6\r\n100000\r\n")
    connection.ask(b"SLOWLOG", b"RESET")
    for slower_than, noted in ((b"-1", b":0\r\n"), (b"0", b":1\r\n")):
        connection.ask(b"CONFIG", b"SET", b"slowlog-log-slower-than", slower_than)
        connection.ask(b"GET", b"k")
        assert connection.ask(b"SLOWLOG", b"LEN") == noted
    connection.ask(b"CONFIG", b"SET", b"slowlog-log-slower-than", b"100000")


def test_reads_alone_do_not_go_through_the_log(gateway: Running) -> None:
    gateway.store.keeps_submitted = True
    gateway.connect().ask(b"GET", b"k")
    submitted, gateway.store.submitted = gateway.store.submitted, []
    gateway.store.keeps_submitted = False
    assert [request.by_log for request in submitted] == [False]


def test_a_thousand_commands_in_one_write_are_all_answered(gateway: Running) -> None:
    connection = gateway.connect()
    connection.send_raw(written(b"INCR", b"n") * 5000)
    replies = [connection.reply() for _ in range(5000)]
    assert replies == [b":%d\r\n" % number for number in range(1, 5001)]


def test_large_values_come_back_whole(gateway: Running) -> None:
    connection = gateway.connect()
    value = bytes(range(256)) * (4 * MIB // 256)
    assert connection.ask(b"SET", b"big", value) == b"+OK\r\n"
    connection.send_raw(written(b"GET", b"big") * 8)
    expected = b"$%d\r\n%b\r\n" % (len(value), value)
    assert all(connection.reply() == expected for _ in range(8))


@pytest.mark.parametrize(
    "data", [b"\xff\x00garbage\r\n", b"PING\r\n", b"ping  \r\nPING\n", b"\r\n\r\nPING\r\n"]
)
def test_inline_words_are_commands(gateway: Running, data: bytes) -> None:
    connection = gateway.connect()
    connection.send_raw(data)
    assert connection.reply() == b"+PONG\r\n" if b"PING" in data else b"-ERR unknown command"
    assert alive(gateway)


def test_a_protocol_fault_is_told_and_ends_the_connection_only(gateway: Running) -> None:
    connection = gateway.connect()
    connection.send_raw(written(b"SET", b"k", b"v") + b"*1\r\nfoo\r\n" + written(b"PING"))
    assert connection.rest() == b"+OK\r\n-ERR Protocol error: expected '$', got 'f'\r\n"
    assert alive(gateway)


@pytest.mark.parametrize("line", [b"POST / HTTP/1.1\r\n", b"Host: a\r\n"])
def test_a_browser_is_hung_up_on(gateway: Running, line: bytes) -> None:
    connection = gateway.connect()
    connection.send_raw(line + b"SET k v\r\n")
    assert connection.rest() == b""
    assert gateway.connect().ask(b"EXISTS", b"k") == b":0\r\n"


def test_what_a_client_sent_before_half_closing_is_answered(gateway: Running) -> None:
    with socket.create_connection(("127.0.0.1", gateway.store.settings.me.gateway_port)) as one:
        one.sendall(written(b"SET", b"k", b"v") * 3)
        one.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := one.recv(4096):
            received += chunk
    assert received == b"+OK\r\n" * 3


def test_quit_answers_what_came_before_and_nothing_after(gateway: Running) -> None:
    connection = gateway.connect()
    connection.send_raw(written(b"SET", b"k", b"v") + written(b"QUIT") + written(b"PING"))
    assert connection.rest() == b"+OK\r\n+OK\r\n"


def test_client_reply_skips_one_or_all_replies(gateway: Running) -> None:
    connection = gateway.connect()
    for words in (
        (b"CLIENT", b"REPLY", b"SKIP"), (b"SET", b"k", b"1"), (b"INCR", b"k"),
        (b"CLIENT", b"REPLY", b"OFF"), (b"INCR", b"k"), (b"PING",), (b"NOSUCH",),
        (b"CLIENT", b"REPLY", b"ON"), (b"GET", b"k"),
    ):  # fmt: skip
        connection.send(*words)
    replies = [connection.reply() for _ in range(3)]
    assert replies == [b":2\r\n", b"+OK\r\n", b"$1\r\n3\r\n"]


def test_a_skip_that_is_skipped_itself_still_skips_the_next_reply(gateway: Running) -> None:
    connection = gateway.connect()
    for words in (
        (b"CLIENT", b"REPLY", b"SKIP"), (b"CLIENT", b"REPLY", b"SKIP"), (b"ECHO", b"unheard"),
        (b"ECHO", b"heard"),
    ):  # fmt: skip
        connection.send(*words)
    assert connection.reply() == b"$5\r\nheard\r\n"


def test_hello_in_a_transaction_changes_the_protocol_from_its_own_reply_on(
    gateway: Running,
) -> None:
    connection = gateway.connect()
    read, hello = (b"GET", b"none"), (b"HELLO", b"3")
    words = [(b"MULTI",), read, hello, read, (b"HELLO", b"2"), read, hello, (b"EXEC",), read]
    said = connection.ask_all(words)
    assert said[-1] == b"_\r\n"
    assert said[-2].startswith(b"*6\r\n$-1\r\n%7\r\n")
    assert b"*0\r\n_\r\n*14\r\n" in said[-2]
    assert b"*0\r\n$-1\r\n%7\r\n" in said[-2]


@pytest.mark.parametrize("words", [(b"CLIENT", b"REPLY", b"OFF"), (b"DEBUG", b"SLEEP", b"1")])
def test_what_cannot_be_done_within_exec_is_refused_when_queued(
    gateway: Running, words: tuple[bytes, ...]
) -> None:
    connection = gateway.connect()
    said = connection.ask_all(
        [(b"MULTI",), (b"SET", b"k", b"v"), words, (b"EXEC",), (b"GET", b"k")]
    )
    assert said[2] == b"-ERR Command not allowed inside a transaction\r\n"
    assert said[3].startswith(b"-EXECABORT ")
    assert said[4] == b"$-1\r\n"


def test_local_commands_in_a_transaction_are_answered_at_their_place(gateway: Running) -> None:
    connection = gateway.connect()
    connection.ask(b"SET", b"k", b"1")
    queued = ((b"INCR", b"k"), (b"PING",), (b"OBJECT", b"IDLETIME", b"k"), (b"EXPIRE", b"k", b"x"))
    assert connection.ask(b"MULTI") == b"+OK\r\n"
    assert {connection.ask(*words) for words in (*queued, (b"ECHO", b"e"))} == {b"+QUEUED\r\n"}
    expected = (
        b"*5\r\n:2\r\n+PONG\r\n:0\r\n-ERR value is not an integer or out of range\r\n$1\r\ne\r\n"
    )
    assert connection.ask(b"EXEC") == expected


def test_no_word_of_a_client_can_end_the_line_of_an_error(gateway: Running) -> None:
    connection = gateway.connect()
    for word in (b"a\r\n+OK", b"\n", b"x\r", b"\x00\r\n", b"\xff\xfe"):
        for words in (
            (word,),
            (b"GET", word, word),
            (b"CLIENT", word),
            (b"EXPIRE", b"k", b"1", word),
        ):
            reply = connection.ask(*words)
            assert reply.startswith(b"-ERR ")
            assert reply.count(b"\r") == reply.count(b"\n") == 1
    assert connection.ask(b"PING") == b"+PONG\r\n"


def test_pipelining_ahead_is_held_back_not_stored(gateway: Running) -> None:
    gateway.on_loop(lambda: setattr(gateway.store, "is_held", True))
    connection = gateway.connect()
    connection._socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        connection._socket.sendall(written(b"SET", b"k", b"v" * 10_000) * 10_000)
    held = gateway.on_loop(
        lambda: [one.held_bytes()[0] for one in gateway.gateway.lobby.connections.values()]
    )
    gateway.on_loop(gateway.store.release)
    assert max(held) < 4 * MIB
    assert alive(gateway)


def test_no_more_is_asked_for_a_reader_that_takes_nothing(gateway: Running) -> None:
    connection = gateway.connect()
    connection.ask(b"SET", b"big", b"v" * 600_000)
    gateway.store.keeps_submitted = True
    connection.send_raw(written(b"GET", b"big") * 2000)
    lobby = gateway.gateway.lobby
    gateway.wait_for(lambda: any(one.held_bytes()[1] > 65_536 for one in lobby.clients.values()))
    submitted, gateway.store.submitted = gateway.store.submitted, []
    gateway.store.keeps_submitted = False
    asked = [each for request in submitted for each in request.commands if isinstance(each, Get)]
    assert 0 < len(asked) < 100
    assert alive(gateway)


def test_a_reader_that_stands_still_above_the_output_limit_is_dropped() -> None:
    with running(limits={"output_bytes_max": MIB, "output_bytes_soft_max": MIB}) as one:
        slow, steady = one.connect(), one.connect()
        slow.ask(b"SET", b"big", b"v" * MIB)
        for connection in (slow, steady):
            connection.send(b"MGET", *[b"big"] * 30)
        assert len(steady.reply()) > 30 * MIB
        counters = one.gateway.lobby.counters
        one.wait_for(lambda: counters.output_limit_disconnections == 1)
        one.wait_for(lambda: len(one.gateway.lobby.clients) == 1)
        assert steady.ask(b"PING") == b"+PONG\r\n"
        assert one.on_loop(lambda: one.gateway.lobby.held_bytes) < MIB


def test_the_largest_holder_goes_when_memory_is_short() -> None:
    with running(limits={"held_bytes_max": 2 * MIB}) as one:
        small, large = one.connect(), one.connect()
        small.send_raw(b"*2\r\n$3\r\nGET\r\n$100000\r\n" + b"x" * 50_000)
        large.send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4000000\r\n" + b"x" * 3_000_000)
        one.wait_for(lambda: one.gateway.lobby.counters.evicted_clients == 1)
        assert large.rest() == b""
        small.send_raw(b"x" * 50_000 + b"\r\n")
        assert small.reply() == b"$-1\r\n"


def test_one_client_too_many_is_told_so() -> None:
    with running(limits={"clients_max": 2}) as one:
        first, second = one.connect(), one.connect()
        assert first.ask(b"PING") == second.ask(b"PING") == b"+PONG\r\n"
        assert one.connect().rest() == b"-ERR max number of clients reached\r\n"
        second.close()
        one.wait_for(lambda: len(one.gateway.lobby.clients) == 1)
        assert alive(one)


def test_a_silent_client_is_dropped_after_the_idle_time() -> None:
    with running(limits={"idle_ms": 1000}) as one:
        connection = one.connect()
        assert connection.ask(b"PING") == b"+PONG\r\n"
        started = time.monotonic()
        assert connection.rest() == b""
        assert time.monotonic() - started < 5


OUTCOMES = {
    NotDone(Reason.NO_QUORUM): b"-CLUSTERDOWN ",
    NotDone(Reason.OVERLOADED): b"-TRYAGAIN ",
    NotDone(Reason.LOW_SPACE): b"-MISCONF ",
    NotDone(Reason.TOO_LARGE): b"-ERR PX0201",
    NotDone(Reason.STOPPING): b"-CLUSTERDOWN ",
    Unknown(): b"-UNKNOWN PX0203 ",
}


@pytest.mark.parametrize("answer", list(OUTCOMES), ids=str)
def test_every_command_of_a_request_hears_its_outcome(gateway: Running, answer: Answer) -> None:
    gateway.store.answer = lambda _request: answer
    connection = gateway.connect()
    words = ((b"SET", b"k", b"v"), (b"PING",), (b"GET", b"k"))
    connection.send_raw(b"".join(written(*each) for each in words))
    first, second, third = (connection.reply() for _ in range(3))
    assert first.startswith(OUTCOMES[answer])
    assert (second, third) == (b"+PONG\r\n", first)


def test_exec_hears_that_its_outcome_is_unknown(gateway: Running) -> None:
    connection = gateway.connect()
    for words in ((b"MULTI",), (b"SET", b"k", b"v"), (b"INCR", b"n")):
        connection.ask(*words)
    gateway.store.answer = lambda _request: Unknown()
    assert connection.ask(b"EXEC").startswith(b"-UNKNOWN PX0203 ")


def test_a_refusal_of_the_machine_is_one_error_line(gateway: Running) -> None:
    def refused(request: Request) -> Answer:
        return Done(tuple(Refusal("ERR a\r\nb") for _ in request.commands))

    gateway.store.answer = refused
    assert gateway.connect().ask(b"GET", b"k") == b"-ERR a  b\r\n"


def test_stopping_answers_what_is_under_way_and_accepts_nobody() -> None:
    with running() as one:
        connection = one.connect()
        connection.ask(b"PING")
        one.on_loop(lambda: setattr(one.store, "is_held", True))
        connection.send(b"SET", b"k", b"v")
        one.wait_for(lambda: bool(one.store.waiting))
        stopped = one.begin_stop()
        one.wait_for(lambda: one.gateway.lobby.is_stopping)
        with pytest.raises(ConnectionRefusedError):
            one.connect()
        one.on_loop(one.store.release)
        assert connection.rest() == b"+OK\r\n"
        stopped.result(10)


STOPPING = b"-CLUSTERDOWN PX0108 this node is shutting down; nothing was done, ask another node\r\n"


def test_a_command_that_comes_to_an_idle_client_during_a_stop_is_refused_not_dropped() -> None:
    with running() as one:
        connection = one.connect()
        assert connection.ask(b"PING") == b"+PONG\r\n"
        stopped = one.begin_stop()
        one.wait_for(lambda: one.gateway.lobby.is_stopping)
        connection.send(b"PNYX.SEQ", b"1", b"1")
        connection.send(b"SET", b"k", b"v")
        assert connection.rest() == STOPPING
        connection.close()
        stopped.result(10)


def test_what_follows_the_request_under_way_is_refused_during_a_stop() -> None:
    with running() as one:
        connection = one.connect()
        connection.ask(b"PING")
        one.on_loop(lambda: setattr(one.store, "is_held", True))
        connection.send(b"SET", b"k", b"v")
        one.wait_for(lambda: bool(one.store.waiting))
        connection.send(b"INCR", b"n")
        connection.send(b"INCR", b"n")
        stopped = one.begin_stop()
        one.wait_for(lambda: one.gateway.lobby.is_stopping)
        one.on_loop(one.store.release)
        assert connection.rest() == b"+OK\r\n" + STOPPING * 2
        connection.close()
        stopped.result(10)


def test_a_client_that_stays_silent_holds_no_stop_up() -> None:
    with running() as one:
        connection = one.connect()
        connection.ask(b"PING")
        one.begin_stop().result(2)
        assert connection.rest() == b""


def test_a_database_beyond_32_bits_is_refused_in_the_words_of_redis(gateway: Running) -> None:
    connection = gateway.connect()
    assert connection.ask(b"SELECT", b"2147483647") == b"-ERR DB index is out of range\r\n"
    for number in (b"2147483648", b"-2147483649"):
        assert connection.ask(b"SELECT", number) == (
            b"-ERR value is out of range, value must between -2147483648 and 2147483647\r\n"
        )


def test_an_error_shows_no_more_of_a_subcommand_than_redis_does(gateway: Running) -> None:
    """A DEBUG of 4 MB came back whole."""
    reply = gateway.connect().ask(b"DEBUG", b"x" * 1_000_000)
    assert (
        reply
        == b"-ERR unknown subcommand or wrong number of arguments for '%b'. " % (b"x" * 128)
        + b"Try DEBUG HELP.\r\n"
    )
