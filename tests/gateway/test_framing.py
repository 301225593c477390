"""hiredis behind its guard, and the exact parser behind hiredis: together one parser."""

from itertools import pairwise

import pytest
from hypothesis import example, given, settings, strategies as st

from pnyx.gateway.framing import LONE_BYTES_MAX, Framing, lone_commands
from pnyx.transport.resp import BEFORE_AUTH, ProtocolFault, RequestLimits, RequestParser

LIMITS = RequestLimits(
    words_max=1024 * 1024,
    word_bytes_max=1024 * 1024,
    buffered_bytes_max=4 * 1024 * 1024,
    authenticated=True,
)


def written(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)


def exactly(data: bytes) -> tuple[list[list[bytes]], str | None]:
    parser = RequestParser(LIMITS)
    parser.feed(data)
    commands: list[list[bytes]] = []
    try:
        while (command := parser.next_command()) is not None:
            commands.append(command)
    except ProtocolFault as fault:
        return commands, fault.text
    return commands, None


def framed(data: bytes, cuts: list[int]) -> tuple[list[list[bytes]], str | None]:
    framing = Framing(LIMITS)
    commands: list[list[bytes]] = []
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in pairwise(edges):
        chunk = data[start:end]
        lone = lone_commands(chunk) if framing.is_idle and len(chunk) <= LONE_BYTES_MAX else None
        commands += lone or framing.feed(chunk)
        if framing.fault is not None:
            break
    return commands, framing.fault


words = st.lists(st.binary(max_size=20), min_size=1, max_size=4)
odd = st.sampled_from(
    [
        b"PING\r\n", b"\r\n", b'SET "a b" c\n', b"*0\r\n", b"*-1\r\n", b"*1\r\n$-1\r\n",
        b"$3\r\nabc\r\n", b"*2\r\n$3\r\nGET\r\n:5\r\n", b"*1\r\n+abc\r\n", b"(12\r\n", b",1.5\r\n",
        b"*1\r\n*1\r\n$1\r\na\r\n", b"~1\r\n$4\r\nPING\r\n", b"%1\r\n*0\r\n$1\r\na\r\n", b"_\r\n",
        b"|1\r\n$1\r\na\r\n$1\r\nb\r\n", b":1\r\n", b"#t\r\n", b"-ERR x\r\n", b">1\r\n$1\r\na\r\n",
        b"*4294967295\r\n", b"*99999\r\n", b"*02\r\n", b"*1\r\n$01\r\na\r\n", b"'a\n",
        b"*1\r\n$3\r\nabcde\r\n", b"*1\r\n$4\r\nPINGxx",
    ]
)  # fmt: skip
streams = st.lists(st.one_of(words.map(lambda each: written(*each)), odd), max_size=8).map(b"".join)


@example(b"*1\r\n$1\r\n*\r\n|1\r\n$1\r\na\r\n$1\r\nb\r\n", [])
@example(b"*2\r\n+a\r\n$2\r\n$x\r\n", [])
@example(b"*3\r\n+a\r\n$4\r\n\r\n$x\r\n$1\r\nb\r\n", [])
@example(b"*2\r\n$3\r\nGET\r\n$4\r\n:1:k\r\n", [])
@example(b"*1\r\n$4\r\nPINGxx~1\r\n$4\r\nPING\r\n", [])
@example(b"*1\r\n$3\r\na\r\r\nx~1\r\n$4\r\nPING\r\n", [])
@example(b"*2\r\n$3\r\nGET\r\n$4\r\n:1:kxx~1\r\n$6\r\nb\r\n*1c\r\n", [])
@settings(max_examples=400)
@given(streams, st.lists(st.integers(0, 1000), max_size=6))
def test_any_stream_in_any_pieces_means_what_the_exact_parser_says(
    data: bytes, cuts: list[int]
) -> None:
    assert framed(data, cuts) == exactly(data)


@settings(max_examples=200)
@given(streams, st.lists(st.integers(0, 1000), max_size=6))
def test_what_comes_in_long_chunks_means_the_same(data: bytes, cuts: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pnyx.gateway.framing.LONG_BYTES", 12)
        assert framed(data, cuts) == exactly(data)


@settings(max_examples=300)
@given(st.lists(words, min_size=1, max_size=6), st.data())
def test_a_mutated_stream_never_raises_and_never_gives_other_than_bytes(
    commands: list[list[bytes]], data: st.DataObject
) -> None:
    stream = bytearray(b"".join(written(*each) for each in commands))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(stream) - 1))
        stream[at] = data.draw(st.sampled_from([0x2A, 0x24, 0x0D, 0x0A, 0x30, 0x39, 0x2D, 0, 0xFF]))
    found, fault = framed(bytes(stream), data.draw(st.lists(st.integers(0, 500), max_size=3)))
    assert (found, fault) == exactly(bytes(stream))
    assert all(isinstance(word, bytes) for each in found for word in each)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"*4294967295\r\n", "invalid multibulk length"),
        (b"*2147483647\r\n", "invalid multibulk length"),
        (b"*abc\r\n", "invalid multibulk length"),
        (b"*1\r\nfoo\r\n", "expected '$', got 'f'"),
        (b"*1\r\n$-5\r\n", "invalid bulk length"),
        (b"*1\r\n$9223372036854775807\r\n", "invalid bulk length"),
        (b"*1\r\n$1048577\r\n", "invalid bulk length"),
        (b'SET "a\r\n', "unbalanced quotes in request"),
        (b"x" * 65_537, "too big inline request"),
        (b"*" + b"1" * 65_537, "too big mbulk count string"),
        (b"*1\r\n$" + b"1" * 65_537, "too big bulk count string"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_a_fault_has_the_words_of_redis(data: bytes, text: str) -> None:
    framing = Framing(LIMITS)
    assert framing.feed(data) == []
    assert framing.fault == f"Protocol error: {text}"


@pytest.mark.parametrize(
    "chunk",
    [
        b"", b"*", b"*1", b"*1\r\n", b"*1\r\n$4\r\nPI", b"*0\r\n", b"*-1\r\n", b"PING\r\n",
        written(b"GET", b"a") * 3, written(b"GET", b"a") + b"*", written(b"GET") + b"*1\r\n",
        written(b"GET", b"a\r\nb"), written(b"GET") + written(*[b"k"] * 10),
        written(b"GET") + b"PING\r\n",
        written(b"DEL", *[b"k"] * 9), b"*1\r\n:1\r\n", b"*1\r\n+GET\r\n", b"*1\r\n$-1\r\n",
        b"*1\r\n*1\r\n$1\r\na\r\n", b"*1\r\n~1\r\n$1\r\na\r\n", b"*2\r\n$3\r\nGET\r\n",
    ],
)  # fmt: skip
def test_what_is_neither_one_short_command_nor_two_is_left_for_feed(chunk: bytes) -> None:
    assert lone_commands(chunk) is None


@pytest.mark.parametrize(
    "commands",
    [
        [[b"GET", b"a"]],
        [[b"GET"], [b"b"]],
        [[b"GET", b"a*b"], [b":1", b"$2", b"*", b""]],
        [[b"SET", b"\r", b"\n\r"]],
        [[b"PNYX.SEQ", *[b"p"] * 5], [b"k"] * 9],
        [[b"SET", b"k", b"v" * (LONE_BYTES_MAX - 31)]],
    ],
)
def test_one_short_command_or_two_are_taken_whatever_their_words(
    commands: list[list[bytes]],
) -> None:
    chunk = b"".join(written(*each) for each in commands)
    assert len(chunk) <= LONE_BYTES_MAX
    assert lone_commands(chunk) == commands


def test_strangers_may_send_ten_words_of_sixteen_kib() -> None:
    framing = Framing(BEFORE_AUTH)
    assert len(framing.feed(written(*[b"x" * 16_384] * 10))) == 1
    framing.feed(written(*[b"x"] * 11))
    assert framing.fault == "Protocol error: unauthenticated multibulk length"
    framing = Framing(BEFORE_AUTH)
    framing.feed(written(b"x" * 16_385))
    assert framing.fault == "Protocol error: unauthenticated bulk length"


def test_a_promised_count_reserves_nothing() -> None:
    framing = Framing(LIMITS)
    framing.feed(b"*1048576\r\n$1\r\na\r\n")
    assert framing.fault is None
    assert framing.buffered_bytes < 100


def test_commands_before_a_fault_are_still_given() -> None:
    framing = Framing(LIMITS)
    assert framing.feed(written(b"GET", b"a") + b"*1\r\n:1\r\n") == [[b"GET", b"a"]]
    assert framing.fault == "Protocol error: expected '$', got ':'"


def test_a_large_value_in_small_pieces_is_one_command() -> None:
    framing = Framing(LIMITS)
    data = written(b"SET", b"k", b"v" * 500_000) + written(b"GET", b"k")
    found = [
        each for at in range(0, len(data), 9000) for each in framing.feed(data[at : at + 9000])
    ]
    assert found == [[b"SET", b"k", b"v" * 500_000], [b"GET", b"k"]]


def test_more_than_the_buffer_limit_is_a_fault() -> None:
    framing = Framing(LIMITS)
    for _ in range(50):
        framing.feed(b"*1048576\r\n" if framing.is_idle else b"$100000\r\n" + b"x" * 100_002)
        if framing.fault is not None:
            break
    assert framing.fault == "Protocol error: query buffer limit exceeded"


def test_a_flood_for_the_slow_parser_comes_out_in_parts_and_in_order() -> None:
    framing = Framing(LIMITS)
    stream = b"".join(b"echo %d\r\n" % number for number in range(5000))
    found = framing.feed(stream)
    assert len(found) == 1024
    while not framing.is_idle:
        found += framing.feed(b"")
    assert found == [[b"echo", b"%d" % number] for number in range(5000)]
