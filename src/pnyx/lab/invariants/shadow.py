"""What one NodeId has on disk, folded from the writes it asked for: no file is read for it.

It is the Lab's own account of durability, so that the product's is never checked against itself.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from pnyx.consensus.ready import Entry, HardState, Mark, Write
from pnyx.ids import Index, NodeId, Term


@dataclass(slots=True)
class Shadow:
    """One disk, from its first write until it is wiped; crashes do not end it."""

    hard_state: HardState = field(default_factory=HardState)
    start: Mark = field(default_factory=Mark)
    """The boundary that the durable log starts after."""
    entries: list[Entry] = field(default_factory=list)
    pending: deque[Write] = field(default_factory=deque)
    """Asked for, in order, and not known to be durable."""
    votes: dict[Term, NodeId] = field(default_factory=dict)
    """Every vote that was ever durable."""
    reached: dict[Term, Index] = field(default_factory=dict)
    """How long the durable log ever was while that term was the durable one."""
    accepted: Term = Term(0)
    """Of Multi-Paxos: the round that the durable log is accepted in."""
    accepted_to: dict[Term, Index] = field(default_factory=dict)
    """How far the durable log was ever accepted in each round."""

    @property
    def last_index(self) -> Index:
        """The newest durable entry."""
        return Index(self.start.index + len(self.entries))

    def term_at(self, index: Index) -> Term | None:
        """Return the term of the durable entry at `index`, None where none is held."""
        at = index - self.start.index - 1
        if 0 <= at < len(self.entries):
            return self.entries[at].term
        return self.start.term if at == -1 else None

    def holds(self, index: Index, term: Term) -> bool:
        """Is the entry of `term` at `index` durable, in the log or in the state it starts after?"""
        return index <= self.start.index or self.term_at(index) == term

    def held_in(self, told: Term, index: Index, term: Term | None) -> bool:
        """Was the entry at `index` durable while `told` was the term?

        A member that has gone on to a later term may have cut it since: then the length that its
        log once had must do. What its log starts after is committed, and is never cut: a snapshot
        may become durable in one write with a later term, and no log ever was that long in `told`.
        """
        if self.hard_state.term > told:
            return index <= self.start.index or self.reached.get(told, 0) >= index
        return term is not None and self.holds(index, term)

    def is_bound(self, term: Term, node: NodeId) -> bool:
        """Can no crash take back that its vote in `term`, or its promise, is `node`'s?

        What one write tells of a vote and of a later term is the later term alone; who starts again
        from that votes in no earlier one.
        """
        return self.votes.get(term) == node or self.hard_state.term > term

    def durable(self, count: int) -> None:
        """The first `count` pending writes are on disk now."""
        for _ in range(count):
            self.fold(self.pending.popleft())

    def fold(self, write: Write) -> None:
        """Take in one durable write."""
        if write.restart is not None:
            self._restart(write.restart)
        if write.hard_state is not None:
            self.hard_state = write.hard_state
            if write.hard_state.voted_for is not None:
                self.votes[write.hard_state.term] = write.hard_state.voted_for
        if write.entries:
            del self.entries[write.entries[0].index - self.start.index - 1 :]
            self.entries.extend(write.entries)
        if write.accepted is not None:
            del self.entries[write.accepted.last_index - self.start.index :]
            self.accepted = write.accepted.term
        if write.compacted is not None and write.compacted.index > self.start.index:
            self._drop_to(write.compacted)
        self._reach()

    def recovered(
        self, start: Mark, entries: Sequence[Entry], hard_state: HardState, accepted: Term
    ) -> None:
        """A restart has read this back: from now on it must always come back."""
        self.start, self.entries, self.hard_state = start, list(entries), hard_state
        self.accepted = accepted
        self.pending.clear()
        if hard_state.voted_for is not None:
            self.votes[hard_state.term] = hard_state.voted_for
        self._reach()

    def copy(self) -> "Shadow":
        """Return a copy of what is durable, to try on what else may have become so."""
        return Shadow(self.hard_state, self.start, list(self.entries), accepted=self.accepted)

    def _restart(self, mark: Mark) -> None:
        if self.term_at(mark.index) == mark.term:
            self._drop_to(mark)
        else:
            self.start, self.entries = mark, []

    def _drop_to(self, mark: Mark) -> None:
        del self.entries[: mark.index - self.start.index]
        self.start = mark

    def _reach(self) -> None:
        term = self.hard_state.term
        self.reached[term] = max(self.reached.get(term, Index(0)), self.last_index)
        if self.accepted:
            held = self.accepted_to.get(self.accepted, Index(0))
            self.accepted_to[self.accepted] = max(held, self.last_index)
