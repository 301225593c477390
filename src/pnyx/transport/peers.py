"""All links of one node: who is reachable, what is sent, and who dials whom.

The rules of this file:

1. The node whose label sorts first dials; one connection a lane carries both directions. The other
   one dials only if it waited in vain: then its own label is unknown there (it was added later).
2. A peer is up when both lanes are, with the same NodeId and boot; `Receiver` hears of it then. A
   parcel may come earlier, on the lane that is up already.
3. `send` never waits and never keeps more than the lane's limit; False says that nothing left.
4. A new connection of a lane replaces the one before: the dialler has seen that one die.
5. A peer is a NodeId. Two may claim one label: one whose disk was wiped, and the one it was.
"""

import asyncio
import contextlib
import errno
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from pnyx.errors import AddressTaken, LimitExceeded, PnyxError, SettingsWrong
from pnyx.ids import NodeId
from pnyx.prng import Prng
from pnyx.transport.backoff import Backoff
from pnyx.transport.codec import PULSE, Packet, Parcel, Pieces, encode_packets, frame_parcel
from pnyx.transport.counts import Counts
from pnyx.transport.frames import frame
from pnyx.transport.handshake import (
    PROTOCOL,
    Hello,
    Identity,
    Reason,
    Refused,
    Welcome,
    judge,
)
from pnyx.transport.lane import LANES, Lane
from pnyx.transport.link import Link

CONNECT_MS: Final = 1_000
"""A dial that is not answered by then is given up."""
PULSE_MS: Final = 1_000
"""A link that sent nothing for this long sends a pulse."""
SILENT_ROUNDS_MAX: Final = 3
"""A link that received nothing in this many rounds of PULSE_MS is closed."""
GREETING_COUNT_MAX: Final = 64
"""Accepted connections that have not introduced themselves. A peer does so within milliseconds:
of more, the oldest goes."""
DIAL_BACK_MS: Final = 1_000
"""How long a node waits to be dialled before it dials itself."""
PEER_COUNT_MAX: Final = 64
"""So many other nodes are known at once; whoever is down is forgotten for a newcomer."""
LOG_EVERY_S: Final = 60
"""A peer's refusals and garbage are logged once in this time."""

_log = structlog.get_logger("pnyx.transport")


class Receiver(Protocol):
    """The node, as the transport knows it. Called on the loop, never from inside `send`."""

    def received(self, parcel: Parcel) -> None:
        """Take it in.

        Raises:
            BadParcel: no peer of ours sends this; the link is to be closed.
        """
        ...

    def link_up(self, label: str, node: NodeId, boot: int) -> None:
        """Both lanes to `node` are up. A `boot` not seen before: it has restarted."""
        ...

    def link_down(self, node: NodeId) -> None:
        """A lane to `node` broke: what was in flight may be lost."""
        ...


@dataclass(slots=True)
class _Peer:
    identity: Identity
    links: dict[Lane, Link] = field(default_factory=dict)
    up: bool = False
    """Was `link_up` said, and not `link_down` since?"""

    @property
    def label(self) -> str:
        return self.identity.label


class Peers:
    """The links of one node to all others.

    Args:
        own: who we are.
        listen: host and port that other nodes dial.
        addresses: host and port of every *other* configured node, by label.
        receiver: takes what arrives.
        wall_ms: this node's wall clock, ms since 1970; stamped on every parcel.
    """

    def __init__(
        self,
        own: Identity,
        listen: tuple[str, int],
        addresses: Mapping[str, tuple[str, int]],
        receiver: Receiver,
        wall_ms: Callable[[], int],
    ) -> None:
        assert own.label not in addresses, "a node does not dial itself"
        self.counts = Counts()
        self._own = own
        self._listen = listen
        self._receiver = receiver
        self._wall_ms = wall_ms
        self._places = dict(sorted(addresses.items()))
        self._peers: dict[NodeId, _Peer] = {}
        """Everybody that was linked once, who was so last at the end."""
        self._cut: set[str] = set()
        self._nudge = asyncio.Event()
        self._prng = Prng(own.boot)
        self._pieces = Pieces()
        self._links: set[Link] = set()
        """Every connection, greeting ones included."""
        self._greeting: dict[Link, None] = {}
        """The accepted ones that are not up, oldest first."""
        self._tasks: list[asyncio.Task[None]] = []
        self._server: asyncio.Server | None = None
        self._logged_s: dict[str, float] = {}
        """When somebody under that configured label was complained about; all others are one."""

    async def start(self) -> None:
        """Listen, and start dialling.

        Raises:
            AddressTaken: another process listens there.
            SettingsWrong: the address is not one of this machine.
        """
        loop = asyncio.get_running_loop()
        host, port = self._listen
        try:
            self._server = await loop.create_server(lambda: Link(self, None, None), host, port)
        except OSError as error:
            raise self._cannot_listen(error) from error
        self._tasks = [
            asyncio.create_task(self._dial(label, lane), name=f"dial {label} {lane.name}")
            for label in self._places
            for lane in LANES
        ]
        self._tasks.append(asyncio.create_task(self._keep(), name="keep links"))

    async def close(self) -> None:
        """Stop listening and dialling, and close every link. What is buffered is lost."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            self._server.close()
        closing = list(self._links)
        for link in closing:
            link.abort()
        await asyncio.gather(*(link.closed.wait() for link in closing))
        if self._server is not None:
            await self._server.wait_closed()

    def _cannot_listen(self, error: OSError) -> PnyxError:
        place = "{}:{}".format(*self._listen)
        label = self._own.label
        if error.errno == errno.EADDRINUSE:
            return AddressTaken(
                f"the peer port {place} is taken",
                cause="another process listens there",
                next_step=f"stop it, or change peer_port of {label} in every node's file",
            )
        return SettingsWrong(
            f"cannot listen for peers on {place}",
            cause=str(error),
            next_step=f"make host of {label} an address of this machine, in every node's file",
        )

    # Sending.

    def send(self, to: NodeId, lane: Lane, packets: Sequence[Packet]) -> bool:
        """Send `packets` in one parcel, in order, without waiting.

        Returns False if they were given up here (no link, buffer at its limit, too large): then
        nothing left this node. True promises nothing.
        """
        peer = self._peers.get(to)
        link = None if peer is None else peer.links.get(lane)
        counts = self.counts
        if peer is None or link is None:
            counts.dropped_unreachable += 1
            return False
        try:
            bulky = lane is Lane.BULK
            pieces = self._pieces.of(packets) if bulky else encode_packets(packets)
        except LimitExceeded as error:
            counts.dropped_oversize += 1
            _log.warning("gave up a message", peer=peer.label, why=error.effect)
            return False
        sent = False
        for piece in pieces:
            parts = frame_parcel(self._own.node, to, self._wall_ms(), piece)
            if not link.send(parts):
                counts.dropped_full += 1
                break
            sent = True
            counts.frames_sent += 1
            for part in parts:
                counts.bytes_sent += len(part)
        return sent

    def reachable(self, node: NodeId) -> bool:
        """Are both lanes to `node` up?"""
        peer = self._peers.get(node)
        return peer is not None and peer.up

    def node_of(self, label: str) -> NodeId | None:
        """Return who answers under `label`, or did last; None: nobody yet."""
        found = [peer for peer in self._peers.values() if peer.label == label]
        best = max(reversed(found), key=lambda peer: peer.up, default=None)
        return None if best is None else best.identity.node

    def identity(self, node: NodeId) -> Identity | None:
        """Return what `node` said of itself, its addresses included; None: it never answered."""
        peer = self._peers.get(node)
        return None if peer is None else peer.identity

    @property
    def linked(self) -> tuple[Identity, ...]:
        """Everybody that is up, members or not, sorted by label."""
        up = [peer.identity for peer in self._peers.values() if peer.up]
        return tuple(sorted(up, key=lambda one: (one.label, one.node)))

    @property
    def links_up(self) -> int:
        """Links that parcels can pass, two a peer."""
        return sum(len(peer.links) for peer in self._peers.values())

    # Faults, for demo and tests.

    def cut(self) -> None:
        """Close all links, and accept and dial none until `heal`."""
        self.cut_from(self._labels())

    def cut_from(self, labels: Collection[str]) -> None:
        """Do so for the links to `labels`, and only to these: earlier cuts of others are healed.

        Raises:
            SettingsWrong: one of them is no peer; nothing changed.
        """
        known = self._labels()
        strangers = sorted(set(labels) - known)
        if strangers:
            raise SettingsWrong(
                f"cannot cut links to {', '.join(strangers)}",
                cause=f"the peers of {self._own.label} are {', '.join(sorted(known))}",
            )
        self._cut = set(labels)
        for peer in [one for one in self._peers.values() if one.label in self._cut]:
            self._part(peer)
        # A dial of ours to them that is still greeting must not come up either.
        for link in [one for one in self._links if one.dialled in self._cut]:
            link.abort()
        self._nudge.set()
        self._nudge = asyncio.Event()

    def heal(self) -> None:
        """Undo every cut; dial at once."""
        self.cut_from(())

    @property
    def cut_off(self) -> tuple[str, ...]:
        """The labels that links are cut to, sorted."""
        return tuple(sorted(self._cut))

    # What the links call.

    def connected(self, link: Link) -> bool:
        """Admit a connection to the handshake."""
        self._links.add(link)
        if link.dialled is not None:
            assert link.lane is not None, "a dialled link knows its lane"
            if link.dialled in self._cut:
                return False
            link.greet(Hello(PROTOCOL, link.lane, self._own))
            return True
        if self._cut and self._labels() <= self._cut:
            return False
        self._greeting[link] = None
        if len(self._greeting) > GREETING_COUNT_MAX:
            self._crowded_out(next(iter(self._greeting)))
        return True

    def greeted(self, link: Link, hello: Hello) -> None:
        """Judge a greeting; answer it, and as the dialler bring the link up."""
        if not self._accepts(link, hello):
            return
        if link.dialled is None:
            link.lane = hello.lane
            link.greet(Hello(PROTOCOL, hello.lane, self._own))
        else:
            link.greet(Welcome())
            self._bring_up(link, hello)

    def welcomed(self, link: Link, hello: Hello) -> None:
        """Bring an accepted link up, unless something changed since its greeting."""
        if self._accepts(link, hello):
            self._bring_up(link, hello)

    def refused(self, link: Link, refused: Refused) -> None:
        """The other side does not want us."""
        if refused.reason is Reason.DIRECTION:
            # It knows us and dials by itself.
            return
        self.counts.handshakes_refused += 1
        self._complain("a peer refused this node", link, refused, label=link.dialled)

    def arrived(self, link: Link, parcel: Parcel, size_bytes: int) -> None:
        """Pass a parcel on if it is from and to whom the handshake said."""
        assert link.theirs is not None, "parcels are decoded only on links that are up"
        if parcel.sender != link.theirs.node or parcel.to != self._own.node:
            self.bad(link, f"a parcel from {parcel.sender:x} to {parcel.to:x}")
            link.abort()
            return
        self.counts.frames_received += 1
        self.counts.bytes_received += size_bytes
        self._receiver.received(parcel)

    def bad(self, link: Link, why: str) -> None:
        """Count and log bytes that no peer of ours sends."""
        self.counts.bad_frames += 1
        label = link.theirs.label if link.theirs is not None else link.dialled
        self._complain("closed a link: bad frame", link, why, label=label)

    def timed_out(self, link: Link) -> None:
        """Count a connection that did not introduce itself."""
        self.counts.handshakes_timed_out += 1
        self._complain("closed a link: no handshake", link, "too slow", label=link.dialled)

    def lost(self, link: Link) -> None:
        """Forget a connection."""
        self._links.discard(link)
        self._greeting.pop(link, None)
        if link.theirs is None:
            return
        peer = self._peers.get(link.theirs.node)
        if peer is not None and link.lane is not None and peer.links.get(link.lane) is link:
            del peer.links[link.lane]
            self._say_down(peer)

    # Inside.

    def _crowded_out(self, link: Link) -> None:
        self.counts.handshakes_crowded += 1
        self._complain("closed a link: no handshake", link, "too many at once", label=None)
        self._greeting.pop(link)
        link.abort()

    def _accepts(self, link: Link, hello: Hello) -> bool:
        label = hello.identity.label
        if label in self._cut:
            link.abort()
            return False
        refused = judge(hello, self._own, self._places, link.dialled)
        if refused is None and link.lane not in {None, hello.lane}:
            refused = Refused(Reason.PROTOCOL, f"answered on lane {hello.lane.name}")
        if refused is None and not self._has_room(hello.identity.node):
            refused = Refused(Reason.CROWD, f"{PEER_COUNT_MAX} nodes have links already")
        if refused is not None:
            self.counts.handshakes_refused += 1
            if refused.reason is not Reason.DIRECTION:
                self._complain("refused a peer", link, refused, label=label)
            link.refuse(refused)
        return refused is None

    def _bring_up(self, link: Link, hello: Hello) -> None:
        theirs, lane = hello.identity, hello.lane
        peer = self._known(theirs)
        replaced = peer.links.pop(lane, None)
        if replaced is not None:
            replaced.abort()
            self._say_down(peer)
        link.come_up(theirs)
        self._greeting.pop(link, None)
        self.counts.links_opened += 1
        peer.links[lane] = link
        if len(peer.links) == len(LANES):
            peer.up = True
            _log.info("peer up", peer=peer.label, node=f"{theirs.node:x}", address=link.remote)
            self._receiver.link_up(peer.label, theirs.node, theirs.boot)

    def _known(self, theirs: Identity) -> _Peer:
        peer = self._peers.pop(theirs.node, None) or _Peer(theirs)
        if peer.identity != theirs:
            # It was started again: what is left of its earlier links is dead.
            self._part(peer)
            peer.identity = theirs
        self._peers[theirs.node] = peer
        silent = [node for node, one in self._peers.items() if not one.links and one is not peer]
        for node in silent[: max(0, len(self._peers) - PEER_COUNT_MAX)]:
            del self._peers[node]
        return peer

    def _has_room(self, node: NodeId) -> bool:
        linked = sum(bool(peer.links) for peer in self._peers.values())
        return node in self._peers or linked < PEER_COUNT_MAX

    def _labels(self) -> set[str]:
        return {*self._places, *(peer.label for peer in self._peers.values())}

    def _part(self, peer: _Peer) -> None:
        """Close the links to `peer` and say so now, not when the loop gets to it."""
        links = list(peer.links.values())
        peer.links.clear()
        for link in links:
            link.abort()
        self._say_down(peer)

    def _say_down(self, peer: _Peer) -> None:
        if peer.up:
            peer.up = False
            _log.info("peer down", peer=peer.label, node=f"{peer.identity.node:x}")
            self._receiver.link_down(peer.identity.node)

    async def _dial(self, label: str, lane: Lane) -> None:
        """Keep one lane to `label` up, for ever."""
        backoff = Backoff(self._prng)
        while True:
            if label < self._own.label:
                await self._missed(label, lane)
            link = Link(self, label, lane)
            quick = label not in self._cut and await self._live_through(link, self._places[label])
            if link.theirs is not None:
                backoff.reset()
            wait_s = backoff.wait_ms(quick=quick) / 1_000
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._nudge.wait(), wait_s)
                backoff.reset()

    async def _missed(self, label: str, lane: Lane) -> None:
        """Return when nobody under `label`, which should dial us, has a link here."""
        while True:
            await asyncio.sleep(DIAL_BACK_MS / 1_000)
            peers = self._peers.values()
            if not any(peer.label == label and lane in peer.links for peer in peers):
                return

    async def _live_through(self, link: Link, address: tuple[str, int]) -> bool:
        """Dial, and wait until `link` is closed again; True if the next try may come soon."""
        loop = asyncio.get_running_loop()
        host, port = address
        try:
            async with asyncio.timeout(CONNECT_MS / 1_000):
                await loop.create_connection(lambda: link, host, port)
        except ConnectionRefusedError:
            return True
        except OSError as error:
            # TimeoutError too: the machine, or the way to it, is gone.
            _log.debug("cannot dial", peer=link.dialled, error=str(error))
            return False
        await link.closed.wait()
        # Closed without a word, it is starting, stopping or cut off, and will be back.
        return not link.was_refused

    async def _keep(self) -> None:
        """Send pulses on quiet links and close the silent ones.

        Silence is counted in rounds, not read off a clock: a node that was paused itself comes
        back to one late round, not to links that all look dead.
        """
        pulse = (frame(PULSE),)
        while True:
            await asyncio.sleep(PULSE_MS / 1_000)
            self._pieces.forget()
            for link in [one for one in self._links if one.theirs is not None]:
                link.silent_rounds += 1
                if link.silent_rounds > SILENT_ROUNDS_MAX:
                    self.counts.links_idle += 1
                    link.abort()
                elif not link.spoke:
                    link.send(pulse)
                link.spoke = False

    def _complain(self, event: str, link: Link, why: Refused | str, *, label: str | None) -> None:
        """Log once a minute per peer; all strangers together count as one."""
        now_s = asyncio.get_running_loop().time()
        about = label if label in self._places else ""
        if now_s - self._logged_s.get(about, -LOG_EVERY_S) < LOG_EVERY_S:
            return
        self._logged_s[about] = now_s
        reason = why.reason.value if isinstance(why, Refused) else "bytes"
        text = why.text if isinstance(why, Refused) else why
        _log.warning(event, peer=label, address=link.remote, reason=reason, why=text)
