"""Malformed requests on pnyx and on a real redis-server: the same bytes until both hang up."""

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given, settings, strategies as st

from differential.servers import pnyx_server, redis_server, why_no_redis

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(why_no_redis() is not None, reason=str(why_no_redis())),
]

Ports = tuple[int, int]


@pytest.fixture(scope="module")
def ports() -> Iterator[Ports]:
    with redis_server() as redis_port, pnyx_server() as pnyx_port:
        yield redis_port, pnyx_port


def _all_replies(port: int, stream: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as one:
        one.sendall(stream)
        one.shutdown(socket.SHUT_WR)
        received = b""
        try:
            while chunk := one.recv(65_536):
                received += chunk
        except ConnectionResetError:
            # What was not read yet when the server closed; all replies came before.
            pass
        return received


def _written(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)


GOOD = [_written(b"PING"), _written(b"ECHO", b"a\r\nb"), _written(b"GET", b"missing"), b"PING\r\n"]
ODD = [
    b"\r\n",
    b"\n",
    b"  \r\n",
    b"ping\n",
    b'echo "a b"\r\n',
    b"echo 'a\\'b'\r\n",
    b"nosuch a b\r\n",
    b'echo "\\x41\\n\\t\\q"\r\n',
    b'echo a"b"\r\n',
    b'echo "a"b\r\n',
    b'echo "a\r\n',
    b"echo 'a\r\n",
    b"*0\r\n",
    b"*-1\r\n",
    b"*-10\r\n",
    b"*1\r\n$-1\r\n",
    b"*2\r\n$4\r\nECHO\r\n:5\r\n",
    b"*x\r\n",
    b"*1\r\n+PING\r\n",
    b"*1\r\n*1\r\n$4\r\nPING\r\n",
    b"~1\r\n$4\r\nPING\r\n",
    b"$4\r\nPING\r\n",
    b"%1\r\n$1\r\na\r\n$1\r\nb\r\n",
    b"|1\r\n$1\r\na\r\n$1\r\nb\r\n",
    b":1\r\n",
    b"#t\r\n",
    b"_\r\n",
    b"*4294967296\r\n",
    b"*02\r\n",
    b"*+1\r\n",
    b"* 1\r\n",
    b"*1\r\n$04\r\nPING\r\n",
    b"*1\r\n\r\n",
    b"*1\r\n$4\r\nPINGxx",
    b"*1\r\n$5\r\nPING\r\n\r\n",
    b"*1\r\n$99999999999999999999\r\n",
    b"*\r\n",
    b"*1\r\n$\r\n",
    b"*1\r\n$abc\r\n",
    b"*1\r\n\xffabc\r\n",
    b"*1\r\n$4194305\r\n",
    b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",
    b"*1\r\n$0\r\n\r\n",
    b"-ERR x\r\n",
]
"""Without NUL bytes: Redis waits for ever for the end of a line that has one."""


@settings(max_examples=150)
@given(st.lists(st.one_of(st.sampled_from(GOOD), st.sampled_from(ODD)), min_size=1, max_size=5))
def test_any_stream_gets_the_bytes_of_redis(ports: Ports, stream: list[bytes]) -> None:
    redis, pnyx = (_all_replies(port, b"".join(stream)) for port in ports)
    assert pnyx == redis


@pytest.mark.parametrize("piece", ODD, ids=repr)
def test_each_oddity_alone_gets_the_bytes_of_redis(ports: Ports, piece: bytes) -> None:
    redis, pnyx = (_all_replies(port, piece + _written(b"PING")) for port in ports)
    assert pnyx == redis
