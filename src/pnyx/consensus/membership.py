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
    names: tuple[tuple[str, NodeId], ...] = ()
    """Sorted by label: which node holds a label now. Consensus never looks at it."""
    retired: tuple[NodeId, ...] = ()
    """Oldest first: members once, never again. Consensus never looks at it."""

    def peers(self, me: NodeId) -> tuple[NodeId, ...]:
        """Return everyone who receives entries from `me`, sorted, without `me`."""
        return tuple(sorted({*self.voters, *self.outgoing, *self.learners} - {me}))

    def has(self, node: NodeId) -> bool:
        """Is `node` a member, in whatever part?"""
        return node in self.voters or node in self.outgoing or node in self.learners

    def is_voter(self, node: NodeId) -> bool:
        """May `node` lead and be counted?"""
        return node in self.voters or node in self.outgoing
