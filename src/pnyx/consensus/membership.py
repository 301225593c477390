"""Who counts in a group's quorums, as the log says."""

import msgspec

from pnyx.ids import NodeId


class Membership(msgspec.Struct, frozen=True, array_like=True):
    """A group's voters and learners; joint while `outgoing` is not empty (dissertation §4.3)."""

    voters: tuple[NodeId, ...]
    """Sorted. Count in every quorum."""
    outgoing: tuple[NodeId, ...] = ()
    """Sorted. The voters of the membership being left: a quorum needs a majority of both."""
    learners: tuple[NodeId, ...] = ()
    """Sorted. Receive entries, never counted."""

    def peers(self, me: NodeId) -> tuple[NodeId, ...]:
        """Return everyone who receives entries from `me`, sorted, without `me`."""
        return tuple(sorted({*self.voters, *self.outgoing, *self.learners} - {me}))
