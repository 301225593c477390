"""Do a node's log and its space agree? Asked once, at its start, after both were opened.

They are made durable apart: the log at each batch, the space at a flush now and then. So the space
is usually behind, which replaying the log mends; it must never be behind the log's beginning, and
it may be ahead of the log's end only right after a snapshot was installed.
"""

from collections.abc import Collection

from pnyx.consensus.ready import Acceptance, RecoveredLog, Write
from pnyx.errors import LostDisk
from pnyx.ids import GroupId, Index, Term
from pnyx.machine.group import Group
from pnyx.storage.recovery import Recovered
from pnyx.storage.wal import GroupWrite, Wal


def check_founded(recovered: Recovered, held: Collection[GroupId]) -> None:
    """Check that each group with a log is among those `held` in the space.

    What founds a group is durable in the space before the group's first write to the log: who would
    take one without for new would vote again under an old name, with an empty log.

    Raises:
        LostDisk: one is not; nothing was written.
    """
    gone = sorted(recovered.groups.keys() - held)
    if gone:
        raise LostDisk(
            f"the state of {', '.join(f'g{group}' for group in gone)} is gone",
            cause="the log has entries of it, and the space does not know it",
            next_step="restore the node's `space` directory, or move all of its data away: "
            "it joins again under a new identity",
        )


def agreed(recovered: Recovered, state: Group, wal: Wal, group: GroupId) -> RecoveredLog:
    """Return the log that goes with `state`, restarted at an installed snapshot if need be.

    Raises:
        LostDisk: they do not fit together; nothing was written.
        DiskFailed: the restart could not be written.
    """
    log = recovered.groups.get(group) or RecoveredLog()
    applied = state.applied
    if applied.index < log.compacted.index:
        raise LostDisk(
            "the state ends before the log begins",
            cause=f"it holds entries up to {applied.index}, the log starts after "
            f"{log.compacted.index}",
            next_step="move this node's data away and replace the node: it joins anew",
        )
    if _term_at(log, applied.index) == applied.term:
        return log
    if state.installed != applied:
        raise LostDisk(
            "the log does not reach the state",
            cause=f"the state holds entry {applied.index} of term {applied.term}, "
            f"the log ends at {log.compacted.index + len(log.entries)}",
            next_step="move this node's data away and replace the node: it joins anew",
        )
    # A crash came between the snapshot's flip and its mark in the log: the mark follows now.
    # A Paxos log that is all chosen is a prefix of what its last entry's ballot had accepted; one
    # that kept the round of the log before would pass for a part of that.
    term = applied.term if log.accepted else Term(0)
    accepted = Acceptance(term, applied.index) if term else None
    wal.append([GroupWrite(group, Write(0, restart=applied, accepted=accepted))])
    return RecoveredLog(log.hard_state, applied, [], term)


def _term_at(log: RecoveredLog, index: Index) -> int | None:
    if index == log.compacted.index:
        return log.compacted.term
    at = index - log.compacted.index - 1
    return log.entries[at].term if at < len(log.entries) else None
