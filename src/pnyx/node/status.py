"""What a node knows of its cluster, as data for the gateway, the http page and the command line."""

from dataclasses import dataclass

from pnyx.ids import Index, NodeId, Term


@dataclass(frozen=True, slots=True)
class Member:
    """One node of the cluster, and whether we have heard of it lately."""

    node: NodeId
    label: str
    host: str
    gateway_port: int
    cluster_port: int
    peer_port: int
    http_port: int
    reachable: bool
    """Both links are up (always true of this node itself)."""


@dataclass(frozen=True, slots=True)
class Topology:
    """The members of the one group that serves all slots, and who leads it."""

    me: NodeId
    leader: NodeId | None
    """The last known leader: kept during an election, for clients need all 16384 slots."""
    term: Term
    quorum: bool
    """Is there a leader now that this node has heard of within the last election timeouts?"""
    members: tuple[Member, ...]
    """Sorted by label. A member whose NodeId is not known yet (never connected) is missing."""

    def member(self, node: NodeId) -> Member | None:
        """Return the member with this id."""
        return next((member for member in self.members if member.node == node), None)


@dataclass(frozen=True, slots=True)
class LogPosition:
    """Where this node's replica is, for INFO, ROLE and WAIT."""

    term: int
    commit: Index
    applied: Index
    followers_at_commit: int
    """On the leader: how many other voters hold everything committed. Elsewhere 0."""
