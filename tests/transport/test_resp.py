"""Replies on the wire: whatever is said is exactly one RESP value, in both versions."""

import pytest
from hypothesis import given, strategies as st

from differential.raw import parsed
from pnyx.machine.results import NULL_ARRAY, OK, Pairs, Refusal, Status, Values
from pnyx.transport.resp import Map, Reply, Rows, Unordered, Verbatim, encode_error, encode_reply

plain = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.binary(max_size=20),
    st.just(OK),
    st.just(NULL_ARRAY),
    st.text(max_size=20).map(lambda text: Refusal(f"ERR {text}")),
    st.binary(max_size=20).map(Verbatim),
)
replies = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda members: Rows(tuple(members))),
        st.lists(inner, max_size=4).map(lambda members: Unordered(tuple(members))),
        st.lists(st.tuples(inner, inner), max_size=3).map(lambda pairs: Map(tuple(pairs))),
    ),
    max_leaves=12,
)


@given(replies, st.sampled_from([2, 3]))
def test_every_reply_is_exactly_one_value(reply: Reply, protocol: int) -> None:
    parsed(encode_reply(reply, protocol))


@pytest.mark.parametrize(
    ("reply", "two", "three"),
    [
        (None, b"$-1\r\n", b"_\r\n"),
        (NULL_ARRAY, b"*-1\r\n", b"_\r\n"),
        (b"", b"$0\r\n\r\n", b"$0\r\n\r\n"),
        (-1, b":-1\r\n", b":-1\r\n"),
        (Status(b"PONG"), b"+PONG\r\n", b"+PONG\r\n"),
        (Refusal("ERR x"), b"-ERR x\r\n", b"-ERR x\r\n"),
        (Values((1, None)), b"*2\r\n:1\r\n$-1\r\n", b"*2\r\n:1\r\n_\r\n"),
        (Pairs(((b"a", 1),)), b"*2\r\n$1\r\na\r\n:1\r\n", b"%1\r\n$1\r\na\r\n:1\r\n"),
        (Unordered((1,)), b"*1\r\n:1\r\n", b"~1\r\n:1\r\n"),
        (Verbatim(b"ab"), b"$2\r\nab\r\n", b"=6\r\ntxt:ab\r\n"),
    ],
)
def test_each_kind_has_its_bytes(reply: Reply, two: bytes, three: bytes) -> None:
    assert (encode_reply(reply, 2), encode_reply(reply, 3)) == (two, three)


@given(st.text(max_size=40))
def test_an_error_is_one_line_whatever_it_quotes(text: str) -> None:
    line = encode_error(f"ERR {text}")
    assert line.endswith(b"\r\n")
    assert line.count(b"\r") == line.count(b"\n") == 1
