"""What keeps a replica's log and space bounded, and brings peers back whose entries are gone.

Flushes of the space, compaction of the log, snapshots sent and received: all that happens beside
the answering of requests. What is to be sent and flushed is taken by the replica after each call.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pnyx.consensus.consensus import Consensus
from pnyx.consensus.ready import Write
from pnyx.ids import Index, NodeId
from pnyx.machine.group import Group
from pnyx.replica.compaction import Compaction
from pnyx.replica.counters import Counters
from pnyx.replica.effects import Outbound
from pnyx.replica.limits import ReplicaLimits
from pnyx.replica.messages import SnapshotChunk, SnapshotReply
from pnyx.replica.snapshots import SnapshotReceiver, SnapshotSender

CATCHING_UP_MS = 10_000
"""A peer whose match index moved within this time is catching up, not dead."""


@dataclass(slots=True)
class Upkeep:
    """One replica's."""

    consensus: Consensus
    group: Group
    limits: ReplicaLimits
    counters: Counters
    boot: int
    outbox: list[Outbound] = field(default_factory=list)
    """To be sent at once."""
    low: bool = False
    """Is the disk nearly full? A snapshot could take all that is left."""
    flush: int | None = None
    """A flush to be started; `flushed` with its number ends it."""
    _flush_number: int = 0
    _install_flush: tuple[int, int] | None = None
    """(flush, transfer): the rows of that snapshot are durable when that flush ends."""
    confirmations: list[tuple[NodeId, SnapshotReply]] = field(default_factory=list)
    """Who sent a snapshot that is installed, and what to tell when our log begins at its mark."""
    _moved: dict[NodeId, tuple[Index, int]] = field(default_factory=dict)
    """Per peer its match index, and when that was first seen."""
    compaction: Compaction = field(init=False)
    sender: SnapshotSender = field(init=False)
    receiver: SnapshotReceiver = field(init=False)

    def __post_init__(self) -> None:
        """Make the parts."""
        limits = self.limits
        self.compaction = Compaction(
            limits.flush_log_bytes, limits.compact_log_bytes, limits.tail_log_bytes
        )
        self.sender = SnapshotSender(self.group, limits.snapshot_chunk_bytes)
        self.receiver = SnapshotReceiver(self.group)

    def stream_to(self, peers: Sequence[NodeId], now_ms: int) -> None:
        """Begin a snapshot to each of `peers`."""
        for peer in peers:
            chunk = self.sender.start(peer, self.boot, now_ms)
            self.outbox.append(Outbound(peer, chunk))

    def on_chunk(self, sender: NodeId, chunk: SnapshotChunk, now_ms: int) -> None:
        """Take in a piece of a snapshot; while the disk is nearly full, let go what came so far."""
        if self.low and not self.receiver.awaits_flush:
            # No answer: the sender asks again in a second, and begins anew when it gives up.
            self.receiver.abort()
            return
        reply = self.receiver.take(sender, chunk, self.consensus.commit_index, now_ms)
        if reply is not None:
            self.outbox.append(Outbound(sender, reply))
        self._tend_install()

    def on_reply(self, sender: NodeId, reply: SnapshotReply, now_ms: int) -> None:
        """A receiver says how far it is."""
        self.consensus.peer_alive(sender, now_ms)
        chunk, installed, ended = self.sender.replied(sender, reply, now_ms)
        if chunk is not None:
            self.outbox.append(Outbound(sender, chunk))
        if ended:
            self.counters.snapshots_sent += installed is not None
            self.consensus.snapshot_sent(sender, installed, now_ms)

    def tend(self, now_ms: int) -> None:
        """Repeat chunks that were not answered, give up streams that do not move."""
        again, failed = self.sender.overdue(now_ms)
        self.outbox += [Outbound(peer, chunk) for peer, chunk in again]
        for peer in failed:
            self.consensus.snapshot_sent(peer, None, now_ms)
        if self.compaction.urgent:
            self._compact(now_ms)

    def applied(self, log_bytes: int) -> None:
        """So many payload bytes were applied."""
        self.compaction.applied(log_bytes)
        if self.compaction.wants_flush():
            self._ask_flush()

    def release_log(self, *, urgent: bool) -> None:
        """The disk needs the room that the log takes (or does no more)."""
        self.compaction.look(urgent=urgent)
        if urgent and self.compaction.wants_flush():
            self._ask_flush()

    def flushed(self, number: int, now_ms: int) -> Index | None:
        """That flush is durable. Return how far an installed snapshot jumped, if one was."""
        self.compaction.flush_ended(number)
        jumped = None
        if self._install_flush is not None and self._install_flush[0] == number:
            transfer = self._install_flush[1]
            self._install_flush = None
            # Another stream may have begun meanwhile; its rows are not all durable.
            if transfer == self.receiver.transfer:
                jumped = self._install(now_ms)
            self._tend_install()
        self._compact(now_ms)
        if self.compaction.wants_flush():
            # So much was applied meanwhile; without another write nobody else would ask.
            self._ask_flush()
        return jumped

    def confirm_installs(self, write: Write) -> list[tuple[int, Outbound]]:
        """Return what to tell senders once `write`, which begins the log at the mark, is durable.

        The leader counts us from here on: our log must start at the mark for sure.
        """
        confirmed = [
            (write.write_id, Outbound(sender, reply)) for sender, reply in self.confirmations
        ]
        self.confirmations.clear()
        return confirmed

    def _tend_install(self) -> None:
        if self.receiver.awaits_flush and self._install_flush is None:
            self._install_flush = (self._ask_flush(), self.receiver.transfer)

    def _install(self, now_ms: int) -> Index | None:
        mark = self.receiver.mark
        if mark.index <= self.consensus.commit_index:
            self.receiver.abort()
            return None
        sender, reply, membership = self.receiver.finish()
        self.counters.snapshots_installed += 1
        self.consensus.snapshot_installed(mark, membership, now_ms)
        self.confirmations.append((sender, reply))
        return mark.index

    def _compact(self, now_ms: int) -> None:
        log_bytes = self.consensus.log_bytes
        keeps = log_bytes < self.limits.catchup_log_bytes and not self.compaction.urgent
        # Seen every time, so that what stands still is told from what moves.
        wanted = self._wanted_by_peers(now_ms)
        if keeps and self.sender.busy:
            # What the stream's receiver needs next must still be here when the stream ends.
            return
        upto = self.compaction.compactable(log_bytes)
        if upto is None:
            return
        if keeps and wanted is not None:
            upto = min(upto, wanted)
        if upto > self.consensus.compacted.index:
            self.consensus.compact(upto)
        self.compaction.compacted(self.consensus.compacted.index)

    def _wanted_by_peers(self, now_ms: int) -> Index | None:
        """Return the least match index of the peers that are catching up through the log."""
        start = self.consensus.compacted.index
        wanted: list[Index] = []
        for peer, match in self.consensus.match_indexes().items():
            last, since_ms = self._moved.get(peer, (Index(0), now_ms))
            if match != last:
                since_ms = now_ms
            self._moved[peer] = (match, since_ms)
            if match >= start and match > 0 and now_ms - since_ms < CATCHING_UP_MS:
                wanted.append(match)
        return min(wanted, default=None)

    def _ask_flush(self) -> int:
        if self.flush is None:
            self._flush_number += 1
            self.flush = self._flush_number
            self.compaction.flush_started(self.flush, self.group.applied.index)
        # One that was asked for and not started yet covers what is applied by now, too.
        return self.flush
