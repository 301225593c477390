"""What a node knows of its cluster, as data for the gateway, the http page and the command line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pnyx.ids import GroupId, Index, NodeId, Term
from pnyx.storage import directory as disk


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
    """Does it count in a quorum of any group? A learner only receives."""
    match: Index | None = None
    """On the first group's leader: up to which entry the node surely has its log; else None."""


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """One group of keys, as this node knows it."""

    group: GroupId
    leader: NodeId | None
    """The last known leader: kept during an election, for clients need all 16384 slots."""
    term: Term
    quorum: bool
    """Is there a leader now that this node has heard of within the last election timeouts?"""
    voters: tuple[NodeId, ...]
    outgoing: tuple[NodeId, ...] = ()
    """While a change is not committed, the voters it leaves behind: a majority of them is needed
    too."""
    learners: tuple[NodeId, ...] = ()
    engine: str = ""
    """What keeps its log; empty: not known."""

    def has(self, node: NodeId) -> bool:
        """Has `node` a replica of it?"""
        return node in self.voters or node in self.learners


@dataclass(frozen=True, slots=True)
class Topology:
    """The nodes, the groups of keys on them, and which group serves which shard."""

    me: NodeId
    members: tuple[Member, ...]
    """All nodes, sorted by label. Until the cluster has formed, those configured that are known by
    NodeId."""
    groups: tuple[GroupStatus, ...]
    """Ascending; the controller is none of them. Empty while none is known."""
    owners: tuple[GroupId, ...]
    """By shard, who serves it now; 0: nobody does. Empty while that is not known."""
    number: int = 0
    """Of the newest configuration that is known here."""
    moving: frozenset[int] = frozenset()
    """Shards that are on their way to another group."""
    moved: int = 0
    """Grows with every step of every shard, alike on all nodes that know of it."""

    @property
    def placed(self) -> tuple[Member, ...]:
        """The members whose addresses are known."""
        return tuple(member for member in self.members if member.host)

    def member(self, node: NodeId | None) -> Member | None:
        """Return the member with this id, if its addresses are known."""
        return next((member for member in self.placed if member.node == node), None)

    def group(self, group: GroupId) -> GroupStatus | None:
        """Return what is known of a group."""
        return next((one for one in self.groups if one.group == group), None)

    def leader(self, group: GroupId) -> Member | None:
        """Return the last known leader of a group, if its addresses are known."""
        status = self.group(group)
        return None if status is None else self.member(status.leader)

    def led_by(self, node: NodeId) -> tuple[GroupStatus, ...]:
        """Return the groups that have shards and that `node` leads, as far as known here."""
        owning = set(self.owners)
        return tuple(one for one in self.groups if one.leader == node and one.group in owning)


@dataclass(frozen=True, slots=True)
class LogPosition:
    """Where this node's replica of a group is, for INFO, ROLE and WAIT."""

    term: int
    commit: Index
    applied: Index
    followers_at_commit: int
    """On the leader: how many other voters hold everything committed. Elsewhere 0."""
    shards: int = 0
    """How many shards the group serves, as applied here; on the leader with those that are frozen
    so shortly that clients only wait."""


def free_bytes(directory: Path) -> int | None:
    """Return how much more may be stored there; None if that cannot be said."""
    try:
        return disk.free_bytes(directory)
    except OSError:
        return None


NOWHERE: Final = LogPosition(0, Index(0), Index(0), 0)
"""Of a group without a replica here."""
