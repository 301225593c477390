"""Marks of rare events that are told from a replica's counters."""

from typing import Final

from pnyx.lab.invariants import catalogue
from pnyx.lab.invariants.facts import Facts, Member
from pnyx.lab.invariants.invariant import Mark

_MARKS: Final[tuple[Mark, ...]] = (
    catalogue.RESOURCES_BOUNDED.sometimes,
    catalogue.PROPOSAL_SUPERSEDED,
    catalogue.SNAPSHOT_SENT,
)


def look(facts: Facts, member: Member) -> None:
    """Count what the counters say has happened since they were seen last."""
    counters = member.replica.counters
    now = (counters.parked, counters.superseded, counters.snapshots_sent)
    if now != member.counters:
        for mark, before, after in zip(_MARKS, member.counters or (0, 0, 0), now, strict=True):
            if after > before:
                facts.marks.hit(mark)
        member.counters = now
