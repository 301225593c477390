"""What a simulated process is surrounded by, and what it may be.

Data only: the world makes it, processes read it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from pnyx.consensus.engines import EngineName
from pnyx.consensus.member.messages import ReadIndexReply
from pnyx.consensus.member.settings import MemberSettings
from pnyx.consensus.multipaxos.messages import Accepted, BeatReply, Promise, Refusal, Wanted
from pnyx.consensus.raft.messages import (
    AppendEntriesRefusal,
    AppendEntriesReply,
    HeartbeatReply,
    PreVoteReply,
    RequestVoteReply,
)
from pnyx.ids import GroupId, NodeId
from pnyx.lab.chance import Chance
from pnyx.lab.layout import Layout
from pnyx.lab.network import Network
from pnyx.lab.timeline import Timeline
from pnyx.lab.watch import Watch
from pnyx.machine.machine import Machine
from pnyx.replica.limits import MigrationLimits, ReplicaLimits
from pnyx.replica.messages import ForwardReply, SnapshotReply

GROUP: Final = GroupId(1)
CLUSTER: Final = "lab"

REPLIES: Final = frozenset(
    {
        AppendEntriesReply,
        AppendEntriesRefusal,
        HeartbeatReply,
        PreVoteReply,
        RequestVoteReply,
        ReadIndexReply,
        Accepted,
        BeatReply,
        Promise,
        Refusal,
        Wanted,
        ForwardReply,
        SnapshotReply,
    }
)
"""Message types that answer one; all others are requests, what scenarios call an RPC."""


def label_of(number: int) -> str:
    """Return the label of the node of that number."""
    return f"n{number}"


class Condition(Enum):
    """What a process is."""

    DOWN = "down"
    UP = "up"
    PAUSED = "paused"
    """SIGSTOP, a garbage collection, a suspended machine: clocks go on, it does nothing."""
    FAILED = "failed"
    """It stopped itself: its disk failed, or is lost, or it may not take part."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all processes of a world share."""

    timeline: Timeline
    chance: Chance
    network: Network
    watch: Watch
    consensus: EngineName
    raft: MemberSettings
    limits: ReplicaLimits
    migration: MigrationLimits
    machine: Machine
    """What the one group runs."""
    labels: tuple[str, ...]
    """Of the founders, in order of their numbers: the first is number 1."""
    layout: Layout | None
    """Where many groups live; None: there is one group, everywhere."""
    number_of: dict[NodeId, int]
    """Where each NodeId lives or lived."""
    founders: Callable[[], tuple[NodeId, ...]]
    """Return who formed the cluster: the controller's first members."""
    broken: Callable[[int, int], None]
    """The connection between two nodes broke: bytes on it were wrong."""


@dataclass(slots=True)
class Counts:
    """What a process has sent, by message type; only grows, over all lives."""

    messages: dict[str, int] = field(default_factory=dict)
    payload_bytes: int = 0
    """Of everything sent to peers, frames included."""
