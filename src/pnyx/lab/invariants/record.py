"""The agreed log: every entry that was ever committed anywhere, in order, for ever."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

import msgspec

from pnyx.consensus.membership import Membership
from pnyx.consensus.multipaxos.state import MultiPaxosState
from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.ready import Entry, EntryKind
from pnyx.ids import Index, Term
from pnyx.lab.invariants.reference import Reference
from pnyx.machine.group import Group


@dataclass(slots=True)
class Record:
    """What the members of one group have agreed on so far."""

    entries: list[Entry] = field(default_factory=list)
    """The entry at index i stands at i - 1."""
    terms: list[Term] = field(default_factory=list)
    """In which term each was known to be committed first; never falls."""
    memberships: list[tuple[Index, Membership]] = field(default_factory=list)
    """In log order, from where on each was in force; the first at index 0."""
    reference: Reference | None = None

    @property
    def count(self) -> int:
        """The newest index that is agreed on."""
        return len(self.entries)

    def begin(self, membership: Membership, group: Group) -> None:
        """The group, one of whose replicas has that state, was formed with `membership`; said once.

        Later calls change nothing.
        """
        if self.reference is None:
            self.memberships.append((Index(0), membership))
            self.reference = Reference(membership, group.machine, group.shards)

    def learn(self, raft: RaftState | MultiPaxosState) -> list[Entry]:
        """Take over what `raft` knows to be committed and nobody told yet; return it."""
        count = len(self.entries)
        if raft.commit_index <= count or raft.log.compacted.index > count:
            return []
        fresh = raft.log.page(
            Index(count), raft.commit_index, raft.commit_index - count, raft.log.bytes + 1
        )
        term = max(raft.term, self.terms[-1]) if self.terms else raft.term
        self.terms.extend([term] * len(fresh))
        for entry in fresh:
            self.entries.append(entry)
            if entry.kind == EntryKind.MEMBERSHIP:
                held = msgspec.msgpack.decode(entry.payload, type=Membership)
                self.memberships.append((entry.index, held))
        return list(fresh)

    def entry(self, index: Index) -> Entry:
        """Return the agreed entry at `index`, which is agreed on."""
        return self.entries[index - 1]

    def membership_at(self, index: Index) -> Membership:
        """Return the membership that the agreed log up to `index` says."""
        return self.memberships[bisect_right(self.memberships, index, key=_place) - 1][1]

    def committed_before(self, term: Term) -> Index:
        """Return the last index that is known to have been committed in a term before `term`."""
        return Index(bisect_left(self.terms, term))

    def replayed(self, index: Index) -> Reference:
        """Return the reference machine, at `index` at least; that is agreed on."""
        assert self.reference is not None, "a group that agreed on something was formed"
        while self.reference.index < index:
            self.reference.apply(self.entries[self.reference.index])
        return self.reference


def _place(held: tuple[Index, Membership]) -> Index:
    return held[0]
