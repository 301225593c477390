"""Streaming the machine's state to a peer whose next entry is gone, and installing one.

Sending: a consistent view of the space, in chunks, one in flight a peer: the next leaves when the
receiver asks for it, so a slow receiver throttles its own stream and at most one chunk is held.
A chunk without an answer is sent again; a stream without progress for long fails, and consensus
will ask for another.

Receiving: rows of a new generation, a flush of the space off the loop, one flip, a second flush,
and only then the mark in the log. A crash at any step leaves the old state or the new. The second
flush holds nothing but the flip, so it is done in place.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import google_crc32c

from pnyx.consensus.membership import Membership
from pnyx.consensus.ready import Mark
from pnyx.ids import Index, NodeId
from pnyx.machine.group import Group
from pnyx.machine.snapshots import SnapshotView
from pnyx.replica.effects import NEVER
from pnyx.replica.messages import SnapshotChunk, SnapshotReply

RESEND_MIN_MS = 100
RESEND_MAX_MS = 1_000
"""How long a chunk waits for its answer before it is sent again: twice as long each time."""
PATIENCE_MS = 15_000
"""A stream that has made no progress for so long has failed; installing a chunk takes less."""
SILENCE_MS = 2 * RESEND_MAX_MS
"""A stream that brings nothing for so long has no sender any more."""


def checksum(rows: tuple[tuple[bytes, bytes], ...]) -> int:
    """Return the crc32c of all keys and values, in order."""
    return int(google_crc32c.value(b"".join([part for row in rows for part in row])))


@dataclass(slots=True)
class _Stream:
    """One snapshot on its way to one peer."""

    transfer: int
    view: SnapshotView
    rows: Iterator[tuple[bytes, bytes]]
    chunk: SnapshotChunk | None = None
    again_ms: int = 0
    """When the chunk is due to be sent again."""
    wait_ms: int = RESEND_MIN_MS
    progress_ms: int = 0


@dataclass(slots=True)
class SnapshotSender:
    """The streams of one leader, at most one a peer."""

    group: Group
    chunk_bytes: int
    """Keys and values of a chunk; one row always fits."""
    _transfer: int = 0
    streams: dict[NodeId, _Stream] = field(default_factory=dict)

    def start(self, peer: NodeId, boot: int, now_ms: int) -> SnapshotChunk:
        """Begin a stream to `peer` (an older one is dropped) and return its first chunk."""
        self.stop(peer)
        self._transfer += 1
        view = self.group.view()
        # Distinct over restarts too: a chunk of another stream must never be mixed in.
        transfer = (boot & 0xFFFF_FFFF) << 31 | self._transfer
        stream = _Stream(transfer, view, view.rows(), progress_ms=now_ms)
        self.streams[peer] = stream
        return self._next(stream, 0, now_ms)

    def replied(
        self, peer: NodeId, reply: SnapshotReply, now_ms: int
    ) -> tuple[SnapshotChunk | None, Mark | None, bool]:
        """Take in the receiver's state: (chunk to send, mark it has installed, has it ended)."""
        stream = self.streams.get(peer)
        if stream is None or stream.transfer != reply.transfer:
            return None, None, False
        assert stream.chunk is not None, "a stream has sent its first chunk when it was started"
        if reply.installed or reply.refused:
            self.stop(peer)
            return None, reply.mark if reply.installed else None, True
        if reply.wanted == stream.chunk.number + 1 and not stream.chunk.last:
            return self._next(stream, reply.wanted, now_ms), None, False
        return None, None, False

    def overdue(self, now_ms: int) -> tuple[list[tuple[NodeId, SnapshotChunk]], list[NodeId]]:
        """Return what to send again, and the peers whose streams have failed."""
        again: list[tuple[NodeId, SnapshotChunk]] = []
        failed: list[NodeId] = []
        for peer, stream in self.streams.items():
            assert stream.chunk is not None, "started streams have a chunk"
            if now_ms - stream.progress_ms >= PATIENCE_MS:
                failed.append(peer)
            elif now_ms >= stream.again_ms:
                stream.wait_ms = min(2 * stream.wait_ms, RESEND_MAX_MS)
                stream.again_ms = now_ms + stream.wait_ms
                again.append((peer, stream.chunk))
        for peer in failed:
            self.stop(peer)
        return again, failed

    def stop(self, peer: NodeId) -> None:
        """Drop the stream to `peer`, if there is one, and its view."""
        stream = self.streams.pop(peer, None)
        if stream is not None:
            stream.view.close()

    def stop_all(self) -> None:
        """Drop every stream: this replica leads no more, or stops."""
        for peer in list(self.streams):
            self.stop(peer)

    @property
    def busy(self) -> bool:
        """Is a stream under way?"""
        return bool(self.streams)

    @property
    def deadline_ms(self) -> int:
        """When the next resend is due."""
        return min((stream.again_ms for stream in self.streams.values()), default=NEVER)

    def _next(self, stream: _Stream, number: int, now_ms: int) -> SnapshotChunk:
        rows: list[tuple[bytes, bytes]] = []
        size = 0
        last = True
        for key, value in stream.rows:
            rows.append((key, value))
            size += len(key) + len(value)
            if size >= self.chunk_bytes:
                last = False
                break
        packed = tuple(rows)
        stream.chunk = SnapshotChunk(
            stream.transfer,
            stream.view.mark,
            stream.view.membership,
            number,
            packed,
            last,
            checksum(packed),
        )
        stream.wait_ms = RESEND_MIN_MS
        stream.again_ms = now_ms + stream.wait_ms
        stream.progress_ms = now_ms
        return stream.chunk


@dataclass(slots=True)
class SnapshotReceiver:
    """The one snapshot that this replica is taking in."""

    group: Group
    sender: NodeId | None = None
    transfer: int = 0
    mark: Mark = field(default_factory=Mark)
    membership: Membership | None = None
    wanted: int = 0
    heard_ms: int = 0
    """When its sender was heard last."""
    awaits_flush: bool = False
    """All rows are written; they must be durable before the flip."""

    def take(
        self, sender: NodeId, chunk: SnapshotChunk, commit_index: Index, now_ms: int
    ) -> SnapshotReply | None:
        """Write a chunk's rows; returns what to answer now, or None once all rows are here."""
        if chunk.mark.index <= commit_index:
            return SnapshotReply(chunk.transfer, chunk.mark, chunk.number, refused=True)
        if chunk.transfer != self.transfer or sender != self.sender:
            if chunk.number != 0 or not self._gives_way(sender, chunk.mark, now_ms):
                return SnapshotReply(chunk.transfer, chunk.mark, 0, refused=True)
            self._begin(sender, chunk)
        self.heard_ms = now_ms
        if self.awaits_flush:
            return None
        if chunk.number != self.wanted or checksum(chunk.rows) != chunk.checksum:
            return SnapshotReply(self.transfer, self.mark, self.wanted)
        self.group.install_rows(chunk.rows)
        self.wanted += 1
        if chunk.last:
            self.awaits_flush = True
            return None
        return SnapshotReply(self.transfer, self.mark, self.wanted)

    def finish(self) -> tuple[NodeId, SnapshotReply, Membership]:
        """Flip to the new state, durably. The rows are durable already."""
        assert self.awaits_flush, "only a complete snapshot is installed"
        assert self.sender is not None, "a snapshot comes from somebody"
        assert self.membership is not None, "a snapshot names its members"
        self.group.finish_install(self.mark, self.membership)
        self.group.space.flush()
        sender, membership = self.sender, self.membership
        reply = SnapshotReply(self.transfer, self.mark, self.wanted, installed=True)
        self._reset()
        return sender, reply, membership

    def abort(self) -> None:
        """Forget what was received: the log has overtaken it, or another stream begins."""
        if self.transfer:
            self.group.abort_install()
        self._reset()

    def _gives_way(self, sender: NodeId, mark: Mark, now_ms: int) -> bool:
        # Several stream to a candidate of Multi-Paxos; without this they would end each other's.
        is_silent = now_ms - self.heard_ms >= SILENCE_MS
        return is_silent or sender == self.sender or mark.index > self.mark.index

    def _begin(self, sender: NodeId, chunk: SnapshotChunk) -> None:
        self.abort()
        self.sender = sender
        self.transfer = chunk.transfer
        self.mark = chunk.mark
        self.membership = chunk.membership
        self.group.begin_install()

    def _reset(self) -> None:
        self.sender = None
        self.transfer = 0
        self.mark = Mark()
        self.membership = None
        self.wanted = 0
        self.awaits_flush = False
