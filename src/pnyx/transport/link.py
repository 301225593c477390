"""One connection to a peer: bytes to bodies, the handshake, and nothing about groups.

A link is greeting, then up, then closed; it never comes back. Whoever owns it (`Peers`) judges the
greeting and takes the parcels.
"""

import asyncio
import socket
from typing import Final, Protocol, cast

from pnyx.transport.codec import BadParcel, Parcel, decode_body
from pnyx.transport.frames import FRAME_BYTES_MAX, BadFrame, FrameReader, Parts, frame
from pnyx.transport.handshake import (
    BadHello,
    Greeting,
    Hello,
    Identity,
    Refused,
    Welcome,
    decode_greeting,
    encode_greeting,
)
from pnyx.transport.lane import BUFFERED_BYTES_MAX, Lane

HANDSHAKE_MS: Final = 2_000
"""A connection that has not introduced itself by then is closed."""


class Owner(Protocol):
    """Whoever decides about links."""

    def connected(self, link: "Link") -> bool:
        """A connection exists; False closes it before anything is read."""
        ...

    def greeted(self, link: "Link", hello: Hello) -> None:
        """The other side said who it is; answer with one of the methods below."""
        ...

    def welcomed(self, link: "Link", hello: Hello) -> None:
        """The dialler accepts us; `hello` is what it said before."""
        ...

    def refused(self, link: "Link", refused: Refused) -> None:
        """The other side does not want this link; it is closing."""
        ...

    def arrived(self, link: "Link", parcel: Parcel, size_bytes: int) -> None: ...

    def bad(self, link: "Link", why: str) -> None:
        """The other side sent what no peer of ours sends; the link is closing."""
        ...

    def timed_out(self, link: "Link") -> None: ...

    def lost(self, link: "Link") -> None:
        """The connection is gone. Called once for each link that `connected` was asked about."""
        ...


class Link(asyncio.Protocol):
    """A connection of one lane."""

    def __init__(self, owner: Owner, dialled: str | None, lane: Lane | None) -> None:
        self.dialled = dialled
        """The label we dialled, or None if the other side did."""
        self.lane = lane
        """None until an accepted connection has said which it is."""
        self.theirs: Identity | None = None
        """Set once up."""
        self.was_refused = False
        self.closed = asyncio.Event()
        self.silent_rounds = 0
        """Rounds of the keeper since something arrived."""
        self.spoke = False
        """Was anything sent since the keeper's last round?"""
        self.remote = "?"
        self._hello: Hello | None = None
        """What the other side said first."""
        self._owner = owner
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._patience: asyncio.TimerHandle | None = None

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the handshake's patience."""
        # uvloop's transports do not inherit from asyncio's: this is for the type checker alone.
        self._transport = transport = cast("asyncio.Transport", transport)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        name = transport.get_extra_info("peername")
        self.remote = f"{name[0]}:{name[1]}" if name else "?"
        if not self._owner.connected(self):
            self.abort()
            return
        loop = asyncio.get_running_loop()
        self._patience = loop.call_later(HANDSHAKE_MS / 1_000, self._lose_patience)

    def data_received(self, data: bytes) -> None:
        """Cut `data` into bodies and hand each on."""
        self.silent_rounds = 0
        try:
            for body in self._reader.feed(data):
                if self.theirs is None:
                    self._on_greeting(body)
                else:
                    thing = decode_body(body)
                    if isinstance(thing, Parcel):
                        self._owner.arrived(self, thing, len(body))
                if self._transport is None:
                    return
        except (BadFrame, BadHello, BadParcel) as error:
            self._owner.bad(self, str(error))
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner, once. Why makes no difference to anybody."""
        del exc
        self._forget()
        if not self.closed.is_set():
            self.closed.set()
            self._owner.lost(self)

    # What the owner calls.

    def greet(self, greeting: Greeting) -> None:
        """Send our part of the handshake."""
        self._write((frame(encode_greeting(greeting)),))

    def come_up(self, theirs: Identity) -> None:
        """The greeting was good: from now on parcels may pass."""
        self.theirs = theirs
        self._reader.bytes_max = FRAME_BYTES_MAX
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def refuse(self, refused: Refused) -> None:
        """Say why not, and close once that has been sent."""
        self.was_refused = True
        self._write((frame(encode_greeting(refused)),))
        if self._transport is not None:
            self._transport.close()
            self._forget()

    def send(self, parts: Parts) -> bool:
        """Queue one whole frame; False if the buffer is at its limit and nothing was queued."""
        assert self.theirs is not None, "nothing but greetings before the handshake"
        assert self.lane is not None, "an accepted link knows its lane once it is up"
        transport = self._transport
        if transport is None or transport.get_write_buffer_size() > BUFFERED_BYTES_MAX[self.lane]:
            return False
        self._write(parts)
        return True

    def abort(self) -> None:
        """Close now, whatever is still buffered."""
        if self._transport is not None:
            self._transport.abort()
            self._forget()

    def _write(self, parts: Parts) -> None:
        if self._transport is None:
            return
        self.spoke = True
        if len(parts) == 1:
            self._transport.write(parts[0])
        else:
            self._transport.writelines(parts)

    def _on_greeting(self, body: bytes) -> None:
        match decode_greeting(body):
            case Hello() as hello if self._hello is None:
                self._hello = hello
                self._owner.greeted(self, hello)
            case Welcome() if self._hello is not None:
                self._owner.welcomed(self, self._hello)
            case Refused() as refused:
                self.was_refused = True
                self._owner.refused(self, refused)
                self.abort()
            case greeting:
                raise BadHello(f"{type(greeting).__name__} out of turn")

    def _lose_patience(self) -> None:
        self._owner.timed_out(self)
        self.abort()

    def _forget(self) -> None:
        self._transport = None
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
