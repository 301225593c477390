"""What becomes of a request that a node refuses while it still arrives?"""

import asyncio
import signal
import socket
import struct
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import hiredis
import pytest

import pnyx
import pnyx.aio
from pnyx.client import async_links, links
from pnyx.client.errors import Unavailable
from pnyx.client.links import Broken, Link
from pnyx.client.wire import LARGE_BYTES, packed

WELCOME = b"+OK\r\n"
REFUSAL = b"-ERR Protocol error: invalid bulk length\r\n"
PATIENCE_S = 20.0
LARGE = bytes(64 << 20)
"""More than sockets hold."""


class Node:
    """Refuses what it reads the first bytes of, and takes nothing more."""

    def __init__(self, *, resets: bool) -> None:
        self._resets = resets
        self.welcomed = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with peer:
                self.welcomed += 1
                peer.recv(4_096)
                peer.sendall(WELCOME)
                if peer.recv(4_096):
                    peer.sendall(REFUSAL)
                    peer.shutdown(socket.SHUT_WR)
                    if self._resets:
                        # Until the words are there, and the sockets between us full.
                        time.sleep(0.2)
                        peer.setsockopt(
                            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                        )
                    else:
                        while peer.recv(1 << 20):
                            pass


@pytest.fixture
def hard() -> Iterator[Node]:
    node = Node(resets=True)
    yield node
    node.close()


@pytest.fixture
def polite() -> Iterator[Node]:
    node = Node(resets=False)
    yield node
    node.close()


def until_s() -> float:
    return time.monotonic() + PATIENCE_S


def test_the_reason_is_read_though_the_connection_was_reset_under_the_request(hard: Node) -> None:
    link = Link(hard.address, [("PING",)], until_s(), decode=False)
    with pytest.raises(Broken) as broken:
        link.send(LARGE, until_s())
    assert list(map(str, broken.value.replies)) == ["ERR Protocol error: invalid bulk length"]


def test_who_was_told_a_protocol_error_asks_on_another_connection(polite: Node) -> None:
    pool = links.Pool([("PING",)], decode=False)
    for count in (1, 2):
        link = pool.take(polite.address, time.monotonic(), until_s())
        link.send(b"*2\r\n$9999999", until_s())
        (reply,) = link.receive(1, until_s())
        assert isinstance(reply, hiredis.ReplyError)
        pool.give(link, time.monotonic())
        assert polite.welcomed == count
    pool.close()


def test_on_asyncio_the_reason_is_read_before_all_has_left(hard: Node) -> None:
    async def ask() -> list[object]:
        pool = async_links.Pool([("PING",)], decode=False)
        replies = await pool.exchange(hard.address, LARGE, 1, until_s())
        replies += await pool.exchange(hard.address, LARGE, 1, until_s())
        pool.close()
        return replies

    assert {str(reply) for reply in asyncio.run(ask())} == {REFUSAL[1:-2].decode()}
    assert hard.welcomed == 2


def test_on_asyncio_a_large_request_is_not_copied_whole(hard: Node) -> None:
    async def ask() -> int:
        pool = async_links.Pool([("PING",)], decode=False)
        tracemalloc.start()
        await pool.exchange(hard.address, LARGE, 1, until_s())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        pool.close()
        return peak

    assert asyncio.run(ask()) < len(LARGE) // 8


@pytest.mark.parametrize("size", [0, LARGE_BYTES, LARGE_BYTES + 1, 3 * LARGE_BYTES])
def test_a_word_of_any_size_is_packed_alike(size: int) -> None:
    value = bytes(size)
    expected = b"*4\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%b\r\n$1\r\n7\r\n" % (size, value)
    assert packed(("SET", "k", value, 7), b"+PING\r\n") == b"+PING\r\n" + expected


@pytest.fixture
def silent() -> Iterator[str]:
    """A node that was stopped: its system still takes connections, and nobody speaks."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"pnyx://127.0.0.1:{listener.getsockname()[1]}"


def test_a_silent_node_costs_no_more_than_the_call_may_take(silent: str) -> None:
    began_s = time.monotonic()
    with pytest.raises(Unavailable):
        pnyx.connect(silent, timeout_s=0.3)
    assert time.monotonic() - began_s < 2.0


def test_on_asyncio_a_silent_node_costs_no_more_than_the_call_may_take(silent: str) -> None:
    began_s = time.monotonic()
    with pytest.raises(Unavailable):
        asyncio.run(pnyx.aio.connect(silent, timeout_s=0.3))
    assert time.monotonic() - began_s < 2.0


def test_on_asyncio_who_finds_all_connections_in_use_waits_no_longer_than_the_call_may_take(
    silent: str,
) -> None:
    host, port = silent.removeprefix("pnyx://").split(":")

    async def ask() -> None:
        pool = async_links.Pool([("PING",)], decode=False)
        address = (host, int(port))
        held = [
            asyncio.create_task(pool.exchange(address, b"", 1, until_s()))
            for _ in range(async_links.LINKS_MAX)
        ]
        await asyncio.sleep(0)
        with pytest.raises(Broken, match="in use") as broken:
            await pool.exchange(address, b"", 1, time.monotonic() + 0.05)
        assert not broken.value.has_left
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)

    asyncio.run(ask())


@pytest.fixture
def open_link() -> Iterator[tuple[Link, socket.socket]]:
    """A connection and its other end, which has welcomed it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        welcomed: list[socket.socket] = []

        def welcome() -> None:
            welcomed.append(listener.accept()[0])
            welcomed[0].sendall(WELCOME)

        thread = threading.Thread(target=welcome)
        thread.start()
        link = Link(listener.getsockname(), [("PING",)], until_s(), decode=False)
        thread.join()
        with welcomed[0]:
            yield link, welcomed[0]
        link.close()


def test_a_reply_that_comes_byte_by_byte_is_waited_for_no_longer_than_the_call_may_take(
    open_link: tuple[Link, socket.socket],
) -> None:
    link, node = open_link
    over = threading.Event()

    def drip() -> None:
        node.sendall(b"$1000\r\n")
        for _ in range(60):
            if over.wait(0.05):
                return
            node.sendall(b"x")

    thread = threading.Thread(target=drip)
    thread.start()
    began_s = time.monotonic()
    with pytest.raises(Broken):
        link.receive(1, began_s + 0.3)
    assert time.monotonic() - began_s < 2.0
    over.set()
    thread.join()


def test_what_came_while_another_node_was_waited_for_is_read_though_time_is_up(
    open_link: tuple[Link, socket.socket],
) -> None:
    link, node = open_link
    link.send(b"*1\r\n$4\r\nPING\r\n", until_s())
    node.sendall(WELCOME)
    assert link.receive(1, time.monotonic() - 1.0) == [b"OK"]
    began_s = time.monotonic()
    with pytest.raises(Broken, match="timed out"):
        link.receive(1, began_s - 1.0)
    assert time.monotonic() - began_s < 2.0


def test_nothing_leaves_once_time_is_up(open_link: tuple[Link, socket.socket]) -> None:
    link, _node = open_link
    with pytest.raises(Broken) as broken:
        link.send(b"*1\r\n$4\r\nPING\r\n", time.monotonic() - 1.0)
    assert not broken.value.has_left


def test_a_link_that_one_thread_closes_no_other_takes(
    open_link: tuple[Link, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    link, _node = open_link
    second = Link.__new__(Link)
    second.__dict__.update(vars(link))
    pool = links.Pool([("PING",)], decode=False)
    pool.give(link, 100.0)
    pool.give(second, 0.0)

    def is_dropped_meanwhile(_link: Link) -> bool:
        pool.drop(link.address)
        return False

    monkeypatch.setattr(Link, "is_open", is_dropped_meanwhile)
    with pytest.raises(Broken):
        pool.take(link.address, 100.0, time.monotonic())


@pytest.fixture
def mute() -> Iterator[tuple[str, int]]:
    """A place that takes no connection and refuses none."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.2", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()


async def async_connection(address: tuple[str, int]) -> None:
    link = await async_links.Link.to(address, [("PING",)], until_s(), decode=False)
    link.close()


def connection(address: tuple[str, int]) -> None:
    Link(address, [("PING",)], until_s(), decode=False).close()


@pytest.mark.parametrize(
    "connects", [connection, lambda address: asyncio.run(async_connection(address))]
)
def test_a_name_is_connected_to_though_the_first_of_its_places_is_mute(
    connects: Callable[[tuple[str, int]], None],
    polite: Node,
    mute: tuple[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in (mute, polite.address)
    ]
    resolve = socket.getaddrinfo

    def resolved(host: str, *given: Any, **named: Any) -> Any:
        if host != "node":
            return resolve(host, *given, **named)
        if named.get("flags"):
            raise socket.gaierror
        return places

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    connects(("node", 1))
    assert polite.welcomed == 1


@pytest.fixture
def signals() -> Iterator[None]:
    """A signal that a handler takes, forty times a second."""
    before = signal.signal(signal.SIGUSR1, lambda _number, _frame: None)
    main, over = threading.get_ident(), threading.Event()

    def send() -> None:
        while not over.wait(0.025):
            signal.pthread_kill(main, signal.SIGUSR1)

    thread = threading.Thread(target=send)
    thread.start()
    yield
    over.set()
    thread.join()
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.usefixtures("signals")
def test_signals_do_not_let_a_silent_node_be_waited_for_any_longer(
    open_link: tuple[Link, socket.socket],
) -> None:
    link, _node = open_link
    began_s = time.monotonic()
    with pytest.raises(Broken, match="timed out") as broken:
        link.send(LARGE, began_s + 0.3)
    assert broken.value.has_left
    assert time.monotonic() - began_s < 2.0


@pytest.mark.usefixtures("signals")
def test_signals_do_not_let_an_answer_be_waited_for_any_longer(
    open_link: tuple[Link, socket.socket],
) -> None:
    link, _node = open_link
    began_s = time.monotonic()
    with pytest.raises(Broken, match="timed out"):
        link.receive(1, began_s + 0.3)
    assert time.monotonic() - began_s < 2.0
