"""A leader's log on its way to a follower that has not accepted the ballot yet.

It is accepted whole or not at all: a follower that took half of it in the new ballot would forget
what it accepted in an older one, and that may be chosen.
"""

from dataclasses import dataclass, field

from pnyx.consensus.ready import Entry
from pnyx.ids import Index, Term


@dataclass(slots=True)
class Staging:
    """Pages of the log of round `term` after `base`, where both logs agree."""

    term: Term
    base: Index
    entries: list[Entry] = field(default_factory=list)

    @property
    def end(self) -> Index:
        """How far it reaches."""
        return Index(self.base + len(self.entries))
