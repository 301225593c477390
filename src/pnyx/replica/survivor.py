"""The last resort after a majority is lost for ever: one member goes on alone. It is not safe.

Raft promises nothing here: what was acknowledged and is not in this one log is gone, and what is in
it becomes committed, acknowledged or not. What can still be kept apart is: the entry stands in a
term that no election has reached, so no other log holds an entry like it; and everybody else is
retired in the same entry, so whoever of them comes back is told so and stops, instead of being a
second cluster beside this one.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from pnyx.consensus.member.log import Log
from pnyx.consensus.membership import Membership
from pnyx.consensus.ready import Entry, EntryKind, HardState, Mark, Write
from pnyx.ids import Index, NodeId, Term
from pnyx.replica.changes import RETIRED_MAX

TERMS_SKIPPED: Final = 1_000_000
"""More elections than a lost cluster can have held since this log heard of it."""


def newest_membership(base: Membership, compacted: Mark, entries: Sequence[Entry]) -> Membership:
    """Return the membership in force at the end of a log that starts after `compacted`."""
    return Log(base, compacted, entries).membership


def alone(
    me: NodeId, label: str, present: Membership, last: Mark, hard_state: HardState
) -> tuple[Membership, Write]:
    """Return the membership of `me` alone and the write that puts it at the end of its log.

    Args:
        me: whose log it is.
        label: what it is called from now on.
        present: the newest membership of that log.
        last: where that log ends.
        hard_state: the term and vote that belong to it.
    """
    named = {node for _, node in present.names}
    others = {*present.voters, *present.outgoing, *present.learners, *named} - {me}
    known = [node for node in present.retired if node != me and node not in others]
    membership = Membership(
        voters=(me,),
        names=((label, me),),
        retired=(*known, *sorted(others))[-RETIRED_MAX:],
    )
    term = Term(max(hard_state.term, last.term) + TERMS_SKIPPED)
    payload = msgspec.msgpack.encode(membership)
    entry = Entry(Index(last.index + 1), term, EntryKind.MEMBERSHIP, payload)
    return membership, Write(0, hard_state=HardState(term), entries=(entry,))
