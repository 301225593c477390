"""Asyncio's connections to the nodes, and those that are kept for the next call."""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, Final, Self

import hiredis

from pnyx.client.links import IDLE_MAX, Broken, Unwelcome, places_of, refusals, said, welcome_s
from pnyx.client.replies import is_last
from pnyx.client.url import Address
from pnyx.client.wire import READ_BYTES, Words, packed, reader

LINKS_MAX: Final = IDLE_MAX
"""Connections to one node; beyond it tasks wait for one."""
PIECE_BYTES: Final = 262_144
"""A larger request leaves in pieces of this: asyncio would copy all of it into its own buffer."""


class Link:
    """One connection to one node, used by one task at a time."""

    def __init__(
        self, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], *, decode: bool
    ) -> None:
        self._in, self._out = streams
        self._reader = reader(decode=decode)

    @classmethod
    async def to(
        cls, address: Address, greeting: Sequence[Words], until_s: float, *, decode: bool
    ) -> Self:
        """Connect and be welcomed, in half of the time that is left until `until_s`.

        Raises:
            Broken: nobody welcomed us. Nothing was asked.
            Unwelcome: the node refused the greeting.
        """
        until_s = welcome_s(until_s)
        try:
            async with asyncio.timeout(until_s - monotonic()):
                streams = await _reached(address, until_s)
        except OSError as error:
            raise Broken(said(error), has_left=False) from error
        link = cls(streams, decode=decode)
        payload = b"".join(map(packed, greeting))
        try:
            replies = await link.exchange(payload, len(greeting), until_s)
        except Broken as broken:
            for refusal in refusals(broken.replies):
                raise Unwelcome(refusal) from broken
            raise Broken(broken.cause, has_left=False) from broken
        for refusal in refusals(replies):
            link.close()
            raise Unwelcome(refusal)
        return link

    async def exchange(self, payload: bytes, count: int, until_s: float) -> list[Any]:
        """Send all of it and return so many replies, errors among them as values.

        Raises:
            Broken: fewer came, which it has; the connection is closed.
        """
        replies: list[Any] = []
        leaving: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(until_s - monotonic()):
                if len(payload) > PIECE_BYTES:
                    leaving = asyncio.create_task(self._leave(payload))
                else:
                    self._out.write(payload)
                # Not until all has left: who refuses a request while it arrives takes no more.
                while len(replies) < count:
                    reply = self._reader.gets()
                    if reply is not False:
                        replies.append(reply)
                        continue
                    received = await self._in.read(READ_BYTES)
                    if not received:
                        raise ConnectionResetError("the node closed the connection")
                    self._reader.feed(received)
        except (OSError, hiredis.ProtocolError) as error:
            self.close()
            raise Broken(said(error), has_left=True, replies=replies) from error
        except asyncio.CancelledError:
            # Replies that nobody reads would be taken for those of the next call.
            self.close()
            raise
        finally:
            has_left = leaving is None or leaving.done()
            if leaving is not None:
                leaving.cancel()
        if is_last(replies[-1]) or not has_left:
            self.close()
        return replies

    async def _leave(self, payload: bytes) -> None:
        pieces = memoryview(payload)
        # Who reads meanwhile learns of a connection that is gone.
        with suppress(OSError):
            for at in range(0, len(pieces), PIECE_BYTES):
                self._out.write(pieces[at : at + PIECE_BYTES])
                await self._out.drain()

    def is_open(self) -> bool:
        """Return False if the node has hung up."""
        return not self._in.at_eof() and not self._out.is_closing()

    def close(self) -> None:
        """Close the connection, whatever has not left; calling again does nothing."""
        self._out.transport.abort()


class Pool:
    """The connections of one client, on one event loop."""

    def __init__(self, greeting: Sequence[Words], *, decode: bool) -> None:
        self._greeting = greeting
        self._decode = decode
        self._idle: dict[Address, list[Link]] = {}
        self._free: dict[Address, asyncio.Semaphore] = {}
        self._is_closed = False

    async def exchange(
        self, address: Address, payload: bytes, count: int, until_s: float
    ) -> list[Any]:
        """Send to a node and return its replies, over a connection that nobody else uses meanwhile.

        Raises:
            Broken: the node did not answer in full. Unwelcome: it refuses us.
        """
        if self._is_closed:
            raise RuntimeError("this client is closed")
        free = self._free.get(address)
        if free is None:
            free = self._free[address] = asyncio.Semaphore(LINKS_MAX)
        # A limit to the time costs more than all else here, and mostly nobody has to wait.
        if free.locked():
            await self._queue(free, until_s)
        else:
            await free.acquire()
        try:
            link = self._rested(address) or await Link.to(
                address, self._greeting, until_s, decode=self._decode
            )
            replies = await link.exchange(payload, count, until_s)
        finally:
            free.release()
        self._give(address, link)
        return replies

    async def _queue(self, free: asyncio.Semaphore, until_s: float) -> None:
        try:
            async with asyncio.timeout(until_s - monotonic()):
                await free.acquire()
        except TimeoutError as error:
            raise Broken("all connections were in use", has_left=False) from error

    def drop(self, address: Address) -> None:
        """Close what is idle to a node that does not answer."""
        for link in self._idle.pop(address, []):
            link.close()

    def close(self) -> None:
        """Close what is idle, and whatever comes back."""
        self._is_closed = True
        for address in list(self._idle):
            self.drop(address)

    def _rested(self, address: Address) -> Link | None:
        idle = self._idle.get(address)
        while idle:
            link = idle.pop()
            if link.is_open():
                return link
            link.close()
        return None

    def _give(self, address: Address, link: Link) -> None:
        if self._is_closed:
            link.close()
        elif link.is_open():
            self._idle.setdefault(address, []).append(link)


async def _reached(
    address: Address, until_s: float
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the first of a name's places that answers; each has its share of the time."""
    failed = OSError("the name stands for no place")
    try:
        found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        # A resolver may block, and has a thread.
        ask = asyncio.get_running_loop().getaddrinfo
        found = await ask(*address, type=socket.SOCK_STREAM)
    places = places_of(found)
    for at, place in enumerate(places):
        try:
            async with asyncio.timeout((until_s - monotonic()) / (len(places) - at)):
                return await asyncio.open_connection(*place, limit=READ_BYTES)
        except OSError as error:
            failed = error
    raise failed
