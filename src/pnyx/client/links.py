"""Plain blocking sockets to the nodes, and those that are kept for the next call."""

import select
import socket
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, Final

import hiredis

from pnyx.client.forks import forget_in_children
from pnyx.client.replies import is_last
from pnyx.client.url import Address
from pnyx.client.wire import READ_BYTES, Words, packed, reader

ATTEMPT_S: Final = 5.0
"""How long one node may take to answer: it parks at most 1.5 s, and answers within 3 s after it."""
CONNECT_S: Final = 2.0
"""How long a node may take to welcome a client; less where patience is short (`welcome_s`)."""
IDLE_MAX: Final = 64
"""Connections to one node that are kept while nobody uses them."""
RESTED_S: Final = 1.0
"""After such a rest a connection is looked at before it is used: the node may have closed it."""


class Broken(Exception):
    """A connection ended; `has_left`: bytes of the request may have reached the node."""

    def __init__(self, cause: str, *, has_left: bool, replies: Sequence[Any] = ()) -> None:
        super().__init__(cause)
        self.cause = cause
        self.has_left = has_left
        self.replies = replies
        """Those that came before."""


class Unwelcome(Exception):
    """The node refused the connection, in these words."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Link:
    """One connection to one node, used by one thread at a time."""

    def __init__(
        self, address: Address, greeting: Sequence[Words], until_s: float, *, decode: bool
    ) -> None:
        """Connect and be welcomed, in half of the time that is left until `until_s`.

        Raises:
            Broken: nobody welcomed us. Nothing was asked.
            Unwelcome: the node refused the greeting.
        """
        self.address = address
        until_s = welcome_s(until_s)
        try:
            self._socket = _reached(address, until_s)
        except OSError as error:
            raise Broken(said(error), has_left=False) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(True)
        # A time limit of the socket's would begin anew with every signal that Python handles.
        self._poll = select.poll()
        self._poll.register(self._socket)
        self._reader = reader(decode=decode)
        self.used_s = monotonic()
        self.is_over = False
        """Has the node said its last word here?"""
        self._greet(greeting, until_s)

    def _greet(self, greeting: Sequence[Words], until_s: float) -> None:
        try:
            self.send(b"".join(map(packed, greeting)), until_s)
            replies = self.receive(len(greeting), until_s)
        except Broken as broken:
            refusal = next(refusals(broken.replies), None)
            if refusal is not None:
                raise Unwelcome(refusal) from broken
            raise Broken(broken.cause, has_left=False) from broken
        for refusal in refusals(replies):
            self.close()
            raise Unwelcome(refusal)

    def send(self, payload: bytes, until_s: float) -> None:
        """Send all of it.

        Raises:
            Broken: unless `until_s` had passed, it may have left in part; the connection is closed.
        """
        has_left, left = False, memoryview(payload)
        try:
            while left:
                if monotonic() >= until_s:
                    raise TimeoutError
                has_left = True
                try:
                    left = left[self._socket.send(left, socket.MSG_DONTWAIT) :]
                except BlockingIOError:
                    self._wait(select.POLLOUT, until_s)
        except OSError as error:
            # Who refuses a request while it arrives says so, and then takes no more of it.
            replies = self._came_already()
            self.close()
            raise Broken(said(error), has_left=has_left, replies=replies) from error

    def receive(self, count: int, until_s: float) -> list[Any]:
        """Return so many replies, errors among them as values.

        Raises:
            Broken: fewer came, which it has; the connection is closed.
        """
        replies: list[Any] = []
        gets = self._reader.gets
        try:
            while True:
                reply = gets()
                if reply is not False:
                    replies.append(reply)
                    if len(replies) == count:
                        self.is_over = is_last(reply)
                        return replies
                    continue
                # While others were waited for it may have come in time.
                self._wait(select.POLLIN, until_s)
                received = self._socket.recv(READ_BYTES)
                if not received:
                    raise ConnectionResetError("the node closed the connection")
                self._reader.feed(received)
        except (OSError, hiredis.ProtocolError) as error:
            self.close()
            raise Broken(said(error), has_left=True, replies=replies) from error

    def _came_already(self) -> list[Any]:
        replies: list[Any] = []
        with suppress(OSError, hiredis.ProtocolError):
            while received := self._socket.recv(READ_BYTES, socket.MSG_DONTWAIT):
                self._reader.feed(received)
                while (reply := self._reader.gets()) is not False:
                    replies.append(reply)
        return replies

    def is_open(self) -> bool:
        """Return False if the node has hung up, or says what nobody asked for."""
        try:
            self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Close the socket; calling again does nothing."""
        self._socket.close()

    def _wait(self, event: int, until_s: float) -> None:
        self._poll.modify(self._socket, event)
        if not self._poll.poll(max(until_s - monotonic(), 0) * 1000):
            raise TimeoutError


class Pool:
    """The connections of one client; threads may share it."""

    def __init__(self, greeting: Sequence[Words], *, decode: bool) -> None:
        self._greeting = greeting
        self._decode = decode
        self._idle: dict[Address, list[Link]] = {}
        self._lock = threading.Lock()
        self._is_closed = False
        forget_in_children(self)

    def take(self, address: Address, now_s: float, until_s: float) -> Link:
        """Return a connection that nobody else uses, an idle one if there is one.

        Raises:
            Broken: the node cannot be reached. Unwelcome: it refuses.
        """
        if self._is_closed:
            raise RuntimeError("this client is closed")
        idle = self._idle.get(address)
        while idle:
            try:
                link = idle.pop()
            except IndexError:
                break
            if now_s - link.used_s < RESTED_S or link.is_open():
                return link
            link.close()
        return Link(address, self._greeting, until_s, decode=self._decode)

    def give(self, link: Link, now_s: float) -> None:
        """Take back a connection all of whose replies were read."""
        link.used_s = now_s
        idle = self._idle.get(link.address)
        if idle is None:
            with self._lock:
                idle = self._idle.setdefault(link.address, [])
        if len(idle) < IDLE_MAX and not self._is_closed and not link.is_over:
            idle.append(link)
        else:
            link.close()

    def drop(self, address: Address) -> None:
        """Close what is idle to a node that does not answer."""
        idle = self._idle.pop(address, [])
        # Another thread may be about to take one of them: each link goes to one of the two.
        while idle:
            with suppress(IndexError):
                idle.pop().close()

    def close(self) -> None:
        """Close what is idle, and whatever comes back."""
        self._is_closed = True
        for address in list(self._idle):
            self.drop(address)

    def forget(self) -> None:
        """Leave all connections to the process that we were forked from."""
        self._lock = threading.Lock()
        links = [link for idle in self._idle.values() for link in idle]
        self._idle = {}
        for link in links:
            with suppress(OSError):
                link.close()


def places_of(found: Iterable[tuple[Any, ...]]) -> list[Address]:
    """Return the addresses that a resolver gave."""
    return [(str(place[0]), int(place[1])) for *_, place in found]


def _reached(address: Address, until_s: float) -> socket.socket:
    """Connect to the first of a name's places that answers; each has its share of the time."""
    failed = OSError("the name stands for no place")
    places = places_of(socket.getaddrinfo(*address, type=socket.SOCK_STREAM))
    for at, place in enumerate(places):
        share_s = max(until_s - monotonic(), 0) / (len(places) - at)
        try:
            return socket.create_connection(place, timeout=share_s)
        except OSError as error:
            failed = error
    raise failed


def welcome_s(until_s: float) -> float:
    """Return until when a node may take to welcome us, on the monotonic clock.

    At most `CONNECT_S`, and half of what is left of a call, so that another node can be asked.
    """
    now_s = monotonic()
    return now_s + min(CONNECT_S, max(until_s - now_s, 0) / 2)


def said(error: BaseException) -> str:
    """Return an error in words."""
    if isinstance(error, BlockingIOError | TimeoutError):
        return "timed out"
    return str(error) or type(error).__name__


def refusals(replies: Sequence[Any]) -> Iterator[str]:
    """Return the errors among replies, in words."""
    return (str(reply) for reply in replies if isinstance(reply, hiredis.ReplyError))
