"""The best log that a candidate has heard of, fetched page by page.

It is kept beside the candidate's own log until the ballot is won: a member that has promised a
higher round must not accept anything in a lower one, not even by learning.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from pnyx.consensus.membership import Membership
from pnyx.consensus.ready import Entry, EntryKind
from pnyx.ids import Index, NodeId, Term


@dataclass(slots=True)
class Suffix:
    """What `node` has accepted after `base`, up to which it agrees with the candidate's log."""

    node: NodeId
    accepted: Term
    last_index: Index
    base: Index
    entries: list[Entry] = field(default_factory=list)

    @property
    def rank(self) -> tuple[Term, Index]:
        """By the accepted ballot first; logs of one ballot are prefixes of each other."""
        return self.accepted, self.last_index

    @property
    def end(self) -> Index:
        """How far it was fetched."""
        return Index(self.base + len(self.entries))

    @property
    def is_whole(self) -> bool:
        """Is all of it here?"""
        return self.end == self.last_index

    def extend(self, previous_index: Index, entries: Sequence[Entry]) -> bool:
        """Add a page if it follows what is here, else it is an old one; return whether it does."""
        if previous_index != self.end:
            return False
        self.entries.extend(entries)
        return bool(entries)

    @property
    def membership(self) -> Membership | None:
        """The newest membership in it, if it brings one."""
        for entry in reversed(self.entries):
            if entry.kind is EntryKind.MEMBERSHIP:
                return msgspec.msgpack.decode(entry.payload, type=Membership)
        return None
