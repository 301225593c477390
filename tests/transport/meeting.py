"""A few `Peers` on loopback, and what they told their nodes."""

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import uvloop

from pnyx.consensus.formation import Ask
from pnyx.ids import GroupId, NodeId
from pnyx.transport.codec import Packet, Parcel
from pnyx.transport.frames import FrameReader, frame
from pnyx.transport.handshake import (
    PROTOCOL,
    Announced,
    Hello,
    Identity,
    Refused,
    Welcome,
    decode_greeting,
    encode_greeting,
)
from pnyx.transport.lane import Lane
from pnyx.transport.peers import Peers

HOST = "127.0.0.1"
CLUSTER = "c0ffee"


@dataclass
class Recorder:
    """A `Receiver` that only remembers."""

    events: list[tuple[str, NodeId]] = field(default_factory=list)
    parcels: list[Parcel] = field(default_factory=list)

    def received(self, parcel: Parcel) -> None:
        self.parcels.append(parcel)

    def link_up(self, label: str, node: NodeId, boot: int) -> None:
        self.events.append((f"up {label}", node))

    def link_down(self, node: NodeId) -> None:
        self.events.append(("down", node))


def free_ports(count: int) -> list[int]:
    socks = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in socks]
    for sock in socks:
        sock.close()
    return ports


def node_of(label: str) -> NodeId:
    return NodeId(0xA00 + int(label[1:]))


def identity(
    label: str, node: NodeId | None = None, cluster: str = CLUSTER, boot: int = 7
) -> Identity:
    return Identity(
        cluster, node_of(label) if node is None else node, label, boot, Announced(HOST, 1, 2, 3, 4)
    )


class Meeting:
    """Labels n1..nN and their ports; `join` starts one of them."""

    def __init__(self, count: int) -> None:
        self.ports = {f"n{i + 1}": port for i, port in enumerate(free_ports(count))}
        self.peers: dict[str, Peers] = {}
        self.heard: dict[str, Recorder] = {}

    async def join(self, label: str, own: Identity | None = None) -> Peers:
        self.heard[label] = Recorder()
        others = {at: (HOST, port) for at, port in self.ports.items() if at != label}
        peers = Peers(
            own or identity(label),
            (HOST, self.ports[label]),
            others,
            self.heard[label],
            lambda: time.time_ns() // 1_000_000,
        )
        await peers.start()
        self.peers[label] = peers
        return peers

    async def leave(self, label: str) -> None:
        await self.peers.pop(label).close()

    def all_up(self) -> bool:
        present = [node_of(label) for label in self.peers]
        return all(
            peers.reachable(node)
            for label, peers in self.peers.items()
            for node in present
            if node != node_of(label)
        )

    async def __aenter__(self) -> "Meeting":
        return self

    async def __aexit__(self, *exc: object) -> None:
        for label in list(self.peers):
            await self.leave(label)


async def until(true: Callable[[], bool], within_s: float = 8) -> None:
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


def run(story: Coroutine[Any, Any, None]) -> None:
    """Run `story` on the loop that nodes run on."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(story)


def ask(group: int = 1) -> Packet:
    return Packet(GroupId(group), Ask())


class Stranger:
    """A bare TCP connection to a node's peer port."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._frames = FrameReader(1 << 20)

    @classmethod
    async def dial(cls, port: int) -> "Stranger":
        return cls(*await asyncio.open_connection(HOST, port))

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def greet(self, who: Identity, lane: Lane = Lane.RAFT, protocol: int = PROTOCOL) -> None:
        await self.write(frame(encode_greeting(Hello(protocol, lane, who))))

    async def meet(self, who: Identity, lane: Lane = Lane.RAFT) -> None:
        """Shake hands as a dialler, so that the link is up."""
        await self.greet(who, lane)
        assert isinstance(decode_greeting(await self.first_body()), Hello)
        await self.write(frame(encode_greeting(Welcome())))

    def close(self) -> None:
        self._writer.transport.abort()

    async def bodies(self) -> list[bytes]:
        """Read until the other side closes."""
        bodies: list[bytes] = []
        async with asyncio.timeout(8):
            try:
                while chunk := await self._reader.read(65_536):
                    bodies.extend(self._frames.feed(chunk))
            except ConnectionError:
                pass
        self._writer.close()
        return bodies

    async def first_body(self) -> bytes:
        async with asyncio.timeout(8):
            while chunk := await self._reader.read(65_536):
                for body in self._frames.feed(chunk):
                    return body
        raise AssertionError("closed without a frame")

    async def refusal(self) -> Refused:
        bodies = await self.bodies()
        assert len(bodies) == 1
        refused = decode_greeting(bodies[0])
        assert isinstance(refused, Refused)
        return refused
