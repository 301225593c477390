"""Everything the checks share: what is past for ever, and what was last seen of each node."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pnyx.consensus.membership import Membership
from pnyx.consensus.multipaxos.multipaxos import MultiPaxos
from pnyx.consensus.multipaxos.state import MultiPaxosState
from pnyx.consensus.raft.raft import Raft
from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.ready import Entry, Role
from pnyx.ids import Index, NodeId, Term
from pnyx.lab.invariants.invariant import Marks
from pnyx.lab.invariants.record import Record
from pnyx.lab.invariants.shadow import Shadow
from pnyx.machine.group import Group
from pnyx.replica.replica import Replica

EngineState: TypeAlias = RaftState | MultiPaxosState


@dataclass(slots=True)
class Facts:
    """Of a whole run; only grow."""

    marks: Marks
    record: Record
    shadows: dict[NodeId, Shadow] = field(default_factory=dict)
    leaders: dict[Term, NodeId] = field(default_factory=dict)
    stood: dict[Term, dict[NodeId, None]] = field(default_factory=dict)
    """Who was a candidate in which term."""
    votes: dict[tuple[NodeId, Term], NodeId] = field(default_factory=dict)
    """What each voter has told of its vote."""
    granted: dict[tuple[NodeId, Term], set[NodeId]] = field(default_factory=dict)
    """By candidate and term, who has said that it would vote."""
    handed: set[tuple[NodeId, Term]] = field(default_factory=set)
    """Who was told by its leader to stand, and in which term that would be."""
    promised: dict[tuple[NodeId, Term], dict[NodeId, tuple[Term, Index]]] = field(
        default_factory=dict
    )
    """By candidate and round, who has promised, and which log it told of: (accepted, length)."""
    ballots: dict[tuple[NodeId, Term], int] = field(default_factory=dict)
    """In which of its lives a node used which ballot."""
    known: dict[tuple[Index, Term], tuple[Entry, Term]] = field(default_factory=dict)
    """Every entry that was ever in a log, and the term of the entry before it."""

    def shadow(self, node: NodeId) -> Shadow:
        """Return what `node` has on disk."""
        shadow = self.shadows.get(node)
        if shadow is None:
            shadow = self.shadows[node] = Shadow()
        return shadow


@dataclass(slots=True)
class Member:
    """One life of one node, and what was last seen of it."""

    life: int
    """Of its process."""
    node: NodeId
    name: str
    replica: Replica
    raft: EngineState
    group: Group
    shadow: Shadow
    key: tuple[Any, ...] = ()
    """What was compared last to know whether anything changed."""
    term: Term = Term(0)
    voted_for: NodeId | None = None
    accepted: Term = Term(0)
    """Of Multi-Paxos."""
    role: Role = Role.FOLLOWER
    commit: Index = Index(0)
    applied: Index = Index(0)
    installed: Index = Index(0)
    start: Index = Index(0)
    """Where the terms below begin: nothing up to here is in `terms`."""
    terms: list[Term] = field(default_factory=list)
    """Of the log's entries after `start`."""
    places: list[tuple[Index, Membership]] = field(default_factory=list)
    """Where memberships stand in the log above `start`."""
    matches: dict[NodeId, Index] = field(default_factory=dict)
    """While it leads, what it believed of each peer."""
    counters: tuple[int, ...] = ()

    @property
    def last_seen(self) -> Index:
        """The last index of the log as it was seen last."""
        return Index(self.start + len(self.terms))


def state_of(replica: Replica) -> EngineState:
    """Return the state of a replica's consensus, whichever engine it is."""
    assert isinstance(replica.consensus, Raft | MultiPaxos), "those are all engines"
    return replica.consensus.state


def raft_of(replica: Replica) -> RaftState:
    """Return the state of a replica's consensus, which is Raft in this world."""
    assert isinstance(replica.consensus, Raft), "these rules are Raft's"
    return replica.consensus.state


def is_quorum(nodes: Iterable[NodeId], membership: Membership) -> bool:
    """Are `nodes` a majority of the voters, and of the outgoing ones too while it is joint?"""
    there = frozenset(nodes)
    return all(
        2 * sum(voter in there for voter in voters) > len(voters)
        for voters in (membership.voters, membership.outgoing)
        if voters or voters is membership.voters
    )
