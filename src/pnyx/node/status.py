"""What a node knows of its cluster, as data for the gateway, the http page and the command line."""

from dataclasses import dataclass

from pnyx.ids import Index, NodeId, Term


@dataclass(frozen=True, slots=True)
class Member:
    """One node of the cluster, and whether we have heard of it lately."""

    node: NodeId
    label: str
    """Empty: a learner that has not said what it is called to this node."""
    host: str
    """Empty, and all ports 0: it is in no settings file here and was never linked."""
    gateway_port: int
    cluster_port: int
    peer_port: int
    http_port: int
    reachable: bool
    """Both links are up (always true of this node itself)."""
    voter: bool = True
    """Does it count in a quorum? A learner only receives."""
    match: Index | None = None
    """On the leader: up to which entry the node surely has the log; None elsewhere."""


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
    """Sorted by label. Until the cluster has formed, those configured that are known by NodeId."""

    @property
    def placed(self) -> tuple[Member, ...]:
        """The members whose addresses are known."""
        return tuple(member for member in self.members if member.host)

    @property
    def voters(self) -> tuple[Member, ...]:
        """Those that count."""
        return tuple(member for member in self.members if member.voter)

    def member(self, node: NodeId) -> Member | None:
        """Return the member with this id, if its addresses are known."""
        return next((member for member in self.placed if member.node == node), None)


@dataclass(frozen=True, slots=True)
class LogPosition:
    """Where this node's replica is, for INFO, ROLE and WAIT."""

    term: int
    commit: Index
    applied: Index
    followers_at_commit: int
    """On the leader: how many other voters hold everything committed. Elsewhere 0."""
