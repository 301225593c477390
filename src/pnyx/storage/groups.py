"""What the write-ahead log remembers of each group, besides the entries themselves.

The running log and its recovery tell the same `GroupState` the same facts in the same order, so
what a restart reads back is what was known before it. Runs, not single entries, are kept: a term
or a segment changes rarely, and a group with a million entries costs a few dozen bytes.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pnyx.consensus.ready import Acceptance, Entry, EntryKind, HardState, Mark
from pnyx.ids import GroupId, Index, Term
from pnyx.storage.record import GroupCheckpoint

_T = TypeVar("_T")


@dataclass(slots=True)
class GroupState:
    """One group's log as the disk holds it: entries ``compacted.index + 1 .. last_index``."""

    hard_state: HardState = field(default_factory=HardState)
    compacted: Mark = field(default_factory=Mark)
    last_index: Index = Index(0)
    accepted: Term = Term(0)
    """Multi-Paxos: the round that the log is accepted in; 0 with Raft."""
    missing: Index = Index(0)
    """Entries above `compacted` up to and including this one are in no segment that was read."""
    terms: list[tuple[Index, Term]] = field(default_factory=list)
    """Where a new term begins, ascending."""
    spans: list[tuple[Index, int]] = field(default_factory=list)
    """From which index on entries stand in which segment, both ascending."""
    memberships: list[tuple[Index, bytes]] = field(default_factory=list)

    def term_at(self, index: Index) -> Term | None:
        """Return the term of the entry at `index`, or None where it is not known."""
        if index == self.compacted.index:
            return self.compacted.term
        if not self.compacted.index < index <= self.last_index or index < self.missing:
            return None
        run = bisect_right(self.terms, index, key=_first) - 1
        return self.terms[run][1] if run >= 0 else None

    def append(self, entries: Sequence[Entry], segment: int) -> None:
        """Take in contiguous entries that stand in `segment`, cutting the log at the first."""
        first = entries[0].index
        assert self.compacted.index < first <= self.last_index + 1, "no gaps, nothing compacted"
        if first <= self.last_index:
            self._cut(first)
        if not self.spans or self.spans[-1][1] != segment:
            self.spans.append((first, segment))
        newest = self.terms[-1][1] if self.terms else None
        for entry in entries:
            if entry.term != newest:
                newest = entry.term
                self.terms.append((entry.index, newest))
            if entry.kind == EntryKind.MEMBERSHIP:
                self.memberships.append((entry.index, entry.payload))
        self.last_index = entries[-1].index

    def accept(self, accepted: Acceptance) -> None:
        """The log is accepted in that round, and ends there."""
        assert self.compacted.index <= accepted.last_index <= self.last_index, "no gaps"
        if accepted.last_index < self.last_index:
            self._cut(Index(accepted.last_index + 1))
        self.accepted = accepted.term

    def compact(self, mark: Mark) -> None:
        """Forget the entries up to `mark`."""
        if mark.index <= self.compacted.index:
            return
        if mark.index > self.last_index:
            self._start_at(mark)
        self.compacted = mark
        self.missing = self.missing if self.missing > mark.index else Index(0)
        above = Index(mark.index + 1)
        _trim(self.terms, above)
        if self.last_index == mark.index:
            # No entry is left to say where it stands; a stale span would pin its segment.
            self.spans.clear()
        _trim(self.spans, above)
        _trim(self.memberships, mark.index)

    def restart(self, mark: Mark) -> None:
        """A snapshot at `mark` replaces the log, but for a suffix that agrees with it."""
        if self.term_at(mark.index) == mark.term:
            self.compact(mark)
        else:
            self._start_at(mark)

    def checkpoint(self) -> GroupCheckpoint:
        """Return what the next segment restates."""
        term = self.term_at(self.last_index)
        # Not known if an acceptance cut the log among entries that are in no segment any more. A
        # mark that covers what is left was durable before they went, and is still to be read.
        last = self.compacted if term is None else Mark(self.last_index, term)
        return GroupCheckpoint(self.hard_state, self.compacted, last, tuple(self.memberships))

    def learn_end(self, told: "GroupState") -> None:
        """Take from a later checkpoint the term of the newest entry, if it is not known here."""
        if self.term_at(self.last_index) is None and told.last_index == self.last_index:
            self.terms = list(told.terms)

    @classmethod
    def restated(cls, checkpoint: GroupCheckpoint) -> "GroupState":
        """Return the state a checkpoint tells of, its entries all missing."""
        last = checkpoint.last
        above = last.index > checkpoint.compacted.index
        return cls(
            checkpoint.hard_state,
            checkpoint.compacted,
            last.index,
            missing=last.index if above else Index(0),
            terms=[(last.index, last.term)],
            memberships=list(checkpoint.memberships),
        )

    def forgive_missing(self, applied: Index) -> bool:
        """Start the log after its missing entries, if the space durably holds their effects.

        Returns False, changing nothing, if it does not (or their last term is not known).
        """
        term = self.term_at(self.missing)
        if applied < self.missing or term is None:
            return False
        self.compact(Mark(self.missing, term))
        return True

    def oldest_segment(self) -> int | None:
        """Return the segment of the oldest entry still wanted, or None if there is none."""
        if self.last_index == self.compacted.index or not self.spans:
            return None
        return self.spans[0][1]

    def _cut(self, index: Index) -> None:
        _cut_runs(self.terms, index)
        _cut_runs(self.spans, index)
        _cut_runs(self.memberships, index)
        self.last_index = Index(index - 1)
        if self.missing >= index:
            self.missing = self.last_index if self.last_index > self.compacted.index else Index(0)

    def _start_at(self, mark: Mark) -> None:
        self.compacted = mark
        self.last_index = mark.index
        self.missing = Index(0)
        self.terms = [(mark.index, mark.term)]
        self.spans = []
        self.memberships = []


@dataclass(slots=True)
class Groups:
    """All groups of a node's log, and those that were destroyed."""

    alive: dict[GroupId, GroupState] = field(default_factory=dict)
    destroyed: dict[GroupId, HardState] = field(default_factory=dict)
    """Term and vote outlive a group: a re-created replica starts from them."""

    def draft(self, group: GroupId) -> GroupState:
        """Return how `group` would start: bound by what an earlier replica of it promised."""
        return GroupState(hard_state=self.destroyed.get(group, HardState()))

    def create(self, group: GroupId) -> GroupState:
        """Start `group`."""
        state = self.draft(group)
        self.destroyed.pop(group, None)
        self.alive[group] = state
        return state

    def destroy(self, group: GroupId) -> None:
        """Forget `group` but for its term and vote."""
        self.destroyed[group] = self.alive.pop(group).hard_state

    def oldest_segment(self) -> int | None:
        """Return the oldest segment some group still wants, or None if none is."""
        wanted = (state.oldest_segment() for state in self.alive.values())
        return min((segment for segment in wanted if segment is not None), default=None)


def _first(run: tuple[Index, Term]) -> Index:
    return run[0]


def _cut_runs(runs: list[tuple[Index, _T]], index: Index) -> None:
    """Drop the runs that start at or after `index`."""
    while runs and runs[-1][0] >= index:
        runs.pop()


def _trim(runs: list[tuple[Index, _T]], index: Index) -> None:
    """Drop the runs that end before `index`."""
    while len(runs) > 1 and runs[1][0] <= index:
        del runs[0]
