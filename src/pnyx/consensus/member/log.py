"""A member's log above its last compaction, as the protocol sees it: in memory, no disk.

Rules of the file: entries are contiguous from ``compacted.index + 1``, terms never fall, and the
membership is a function of the log: the newest `MEMBERSHIP` entry, committed or not, or the one
the log started with (dissertation §4.1). So cutting the log rolls it back.

Every question about one index is O(1), every question about terms O(log number of terms).
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

import msgspec

from pnyx.consensus.membership import Membership
from pnyx.consensus.ready import Entry, EntryKind, Mark
from pnyx.ids import Index, Term

ORIGIN: Final = Mark()
"""The boundary of a log that was never compacted."""


class Log:
    """Entries ``compacted.index + 1 .. last_index``."""

    __slots__ = (
        "_entries",
        "_memberships",
        "_run_starts",
        "_run_terms",
        "bytes",
        "compacted",
        "last_index",
        "last_term",
        "membership",
    )

    def __init__(
        self, membership: Membership, compacted: Mark = ORIGIN, entries: Sequence[Entry] = ()
    ) -> None:
        """Start after `compacted`, where `membership` was in force, with `entries`."""
        self.compacted = compacted
        self.last_index = compacted.index
        self.last_term = compacted.term
        self.membership = membership
        self.bytes = 0
        """Payload bytes of all entries held."""
        self._entries: list[Entry] = []
        # Each run of one term: where it starts, and the term. The mark counts as the first run.
        self._run_starts: list[Index] = [compacted.index]
        self._run_terms: list[Term] = [compacted.term]
        # In log order, the one in force at the mark first.
        self._memberships: list[tuple[Index, Membership]] = [(compacted.index, membership)]
        self.extend(entries)

    @property
    def membership_index(self) -> Index:
        """Where the newest membership stands; the boundary's index if no entry brought one."""
        return self._memberships[-1][0]

    def memberships_from(self, index: Index) -> list[Membership]:
        """Return the membership in force at `index`, and every newer one, oldest first."""
        newer = bisect_right(self._memberships, index, key=lambda held: held[0])
        return [membership for _, membership in self._memberships[max(newer - 1, 0) :]]

    def __len__(self) -> int:
        """Return how many entries are held."""
        return len(self._entries)

    def term_at(self, index: Index) -> Term | None:
        """Return the term of the entry at `index`, or None where none is held."""
        offset = index - self.compacted.index - 1
        if 0 <= offset < len(self._entries):
            return self._entries[offset].term
        return self.compacted.term if offset == -1 else None

    def mark_at(self, index: Index) -> Mark:
        """Return the position at `index`, which is held or the boundary."""
        term = self.term_at(index)
        assert term is not None, "only a held entry can be named"
        return Mark(index, term)

    def highest_with_term_up_to(self, term: Term, index: Index) -> Mark | None:
        """Return the highest position at or below `index` whose term is at most `term`.

        None if there is none above or at the boundary: it lies in what was compacted. Walking back
        this way on both sides skips a whole conflicting term at a time (Raft §5.3).
        """
        index = min(index, self.last_index)
        if index < self.compacted.index:
            return None
        # Terms never fall, so the runs are sorted by term as well.
        run = bisect_right(self._run_terms, term) - 1
        if run < 0:
            return None
        if run + 1 < len(self._run_starts):
            index = min(index, Index(self._run_starts[run + 1] - 1))
        return self.mark_at(index)

    def page(
        self, after: Index, through: Index, entries_max: int, bytes_max: int
    ) -> tuple[Entry, ...]:
        """Return entries from ``after + 1`` to `through` within the limits, at least one."""
        first = after - self.compacted.index
        assert 0 <= first <= through - self.compacted.index <= len(self._entries), (
            "a page lies within the log"
        )
        last = min(through - self.compacted.index, first + entries_max)
        size = 0
        for offset in range(first, last):
            size += len(self._entries[offset].payload)
            if size > bytes_max and offset > first:
                last = offset
                break
        return tuple(self._entries[first:last])

    def bytes_between(self, after: Index, through: Index) -> int:
        """Return the payload bytes of entries ``after + 1 .. through``."""
        base = self.compacted.index
        return sum(len(entry.payload) for entry in self._entries[after - base : through - base])

    def append(self, entry: Entry) -> None:
        """Add one entry at the end."""
        assert entry.index == self.last_index + 1, "a log has no gaps"
        assert entry.term >= self.last_term, "terms never fall along a log"
        if entry.term != self.last_term:
            self._run_starts.append(entry.index)
            self._run_terms.append(entry.term)
        if entry.kind is EntryKind.MEMBERSHIP:
            self.membership = msgspec.msgpack.decode(entry.payload, type=Membership)
            self._memberships.append((entry.index, self.membership))
        self._entries.append(entry)
        self.last_index = entry.index
        self.last_term = entry.term
        self.bytes += len(entry.payload)

    def extend(self, entries: Sequence[Entry]) -> None:
        """Add entries at the end."""
        for entry in entries:
            self.append(entry)

    def first_conflict(self, entries: Sequence[Entry]) -> Index | None:
        """Return where the log first holds another entry than `entries`, or None.

        `entries` follow a position that this log holds.
        """
        if not entries or entries[0].index > self.last_index:
            return None
        newest = entries[-1]
        if self.term_at(newest.index) == newest.term:
            # Same index and term, so everything before is the same too (Log Matching).
            return None
        for entry in entries:
            held = self.term_at(entry.index)
            if held is None:
                return None
            if held != entry.term:
                return entry.index
        return None

    def cut(self, index: Index) -> None:
        """Drop the entries from `index` on, and the memberships they brought."""
        assert index > self.compacted.index, "what was compacted is committed"
        offset = index - self.compacted.index - 1
        self.bytes -= sum(len(entry.payload) for entry in self._entries[offset:])
        del self._entries[offset:]
        self.last_index = Index(index - 1)
        while self._run_starts[-1] >= index:
            del self._run_starts[-1], self._run_terms[-1]
        self.last_term = self._run_terms[-1]
        while self._memberships[-1][0] >= index:
            del self._memberships[-1]
        self.membership = self._memberships[-1][1]

    def compact(self, index: Index) -> None:
        """Forget the entries up to `index`, which is held; remember its term."""
        mark = self.mark_at(index)
        offset = index - self.compacted.index
        self.bytes -= sum(len(entry.payload) for entry in self._entries[:offset])
        del self._entries[:offset]
        runs = bisect_right(self._run_starts, index) - 1
        del self._run_starts[:runs], self._run_terms[:runs]
        self._run_starts[0] = index
        while len(self._memberships) > 1 and self._memberships[1][0] <= index:
            del self._memberships[0]
        self.compacted = mark
