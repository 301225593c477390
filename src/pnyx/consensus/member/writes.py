"""What is on its way to the disk, and what each promise must wait for.

A write is asked for when something must be durable, and is durable when `persisted` says so. In
between the log may be cut and the same index written again, even with the same term as before the
cut (a later leader may bring the first entry back). So cutting the log also cuts what every write
in flight will be worth; an acknowledgement of an overwritten tail then counts for nothing.
"""

from collections import deque
from dataclasses import dataclass, field

from pnyx.consensus.member.log import Log
from pnyx.consensus.ready import Acceptance, Entry, HardState, Mark, Write
from pnyx.ids import Index, NodeId, Term


@dataclass(slots=True)
class Outstanding:
    """A write that was asked for and is not known to be durable."""

    write_id: int
    last_index: Index
    """The log is durable up to here when it is, as far as it was not cut since."""
    asked_ms: int
    term: Term
    """The newest term that is durable when it is."""


@dataclass(slots=True)
class Writes:
    """One member's side of the write-ahead log."""

    durable_index: Index
    """The newest entry of the log that is durable."""
    asked_index: Index
    """The newest entry of the log that some write carries."""
    durable_term: Term = Term(0)
    """The newest term that is durable: above it nothing that was promised has left."""
    next_id: int = 1
    durable_id: int = 0
    outstanding: deque[Outstanding] = field(default_factory=deque)
    took_ms: int = 0
    """From asking for the newest durable write until it was durable."""
    hard_state_changed: bool = False
    ground_id: int = 0
    """The last write that says more than entries: every reply stands on it."""
    accepted: Term | None = None
    """Multi-Paxos: the round that the whole log is accepted in from now on."""
    compacted: Mark | None = None
    restart: Mark | None = None

    def cut(self, index: Index) -> None:
        """The log was cut: entries from `index` on, wherever they are, are void."""
        before = Index(index - 1)
        self.durable_index = min(self.durable_index, before)
        self.asked_index = min(self.asked_index, before)
        for write in self.outstanding:
            write.last_index = min(write.last_index, before)

    def skip_to(self, mark: Mark, *, agrees: bool) -> None:
        """A snapshot at `mark` is durable; `agrees` if the log held that entry before."""
        if agrees and mark.index <= self.asked_index:
            # Its entries may be on their way to the log's disk: what tells of them waits for that.
            self.compacted = mark
            return
        # What disagrees, or would leave a gap on disk, starts afresh at the mark.
        if not agrees:
            self.cut(Index(1))
        self.restart = mark
        self.compacted = None
        self.durable_index = self.asked_index = mark.index

    def id_for_ground(self) -> int:
        """Return the write that makes the present term and vote durable."""
        return self.next_id if self._changes_ground else self.ground_id

    def id_for_entries(self, index: Index) -> int:
        """Return the write that makes term, vote and all entries up to `index` durable."""
        if index > self.asked_index:
            return self.next_id
        ground = self.id_for_ground()
        if index > self.durable_index:
            for write in self.outstanding:
                if write.last_index >= index:
                    return max(ground, write.write_id)
        return ground

    def is_ground_durable(self) -> bool:
        """Are the present term and vote durable?"""
        return self.id_for_ground() <= self.durable_id

    def take(self, log: Log, term: Term, voted_for: NodeId | None, now_ms: int) -> Write | None:
        """Return one write of everything that must be durable and is not asked for yet."""
        has_entries = self.asked_index < log.last_index
        changes_ground = self._changes_ground
        if not (has_entries or changes_ground or self.compacted is not None):
            return None
        entries: tuple[Entry, ...] = ()
        if has_entries:
            # One record however large: a vote or a cut must never be torn from its entries.
            count = log.last_index - self.asked_index
            entries = log.page(self.asked_index, log.last_index, count, log.bytes)
        write = Write(
            self.next_id,
            HardState(term, voted_for) if self.hard_state_changed else None,
            entries,
            self.compacted,
            self.restart,
            Acceptance(self.accepted, log.last_index) if self.accepted is not None else None,
        )
        if changes_ground:
            self.ground_id = self.next_id
        self.asked_index = log.last_index
        self.outstanding.append(Outstanding(self.next_id, log.last_index, now_ms, term))
        self.next_id += 1
        self.hard_state_changed = False
        self.compacted = self.restart = self.accepted = None
        return write

    def persisted(self, write_id: int, now_ms: int) -> None:
        """That write, and all before it, is durable."""
        assert write_id < self.next_id, "only what was asked for can be durable"
        while self.outstanding and self.outstanding[0].write_id <= write_id:
            write = self.outstanding.popleft()
            self.durable_id = write.write_id
            self.durable_term = write.term
            self.took_ms = now_ms - write.asked_ms
            self.durable_index = max(self.durable_index, write.last_index)
        assert self.durable_index <= self.asked_index, "durable is part of what was asked for"

    def stalled_ms(self, now_ms: int) -> int:
        """Return for how long the oldest write has been outstanding; 0 if none is."""
        return now_ms - self.outstanding[0].asked_ms if self.outstanding else 0

    @property
    def _changes_ground(self) -> bool:
        return self.hard_state_changed or self.restart is not None or self.accepted is not None
