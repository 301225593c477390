"""What moving leadership and changing members must know of a member, whatever engine it runs."""

from dataclasses import dataclass
from typing import Any, Protocol

from pnyx.consensus.raft.log import Log
from pnyx.consensus.raft.progress import Progress
from pnyx.consensus.raft.settings import RaftSettings
from pnyx.consensus.ready import Role
from pnyx.ids import Index, NodeId, Term


@dataclass(slots=True)
class Transfer:
    """Leadership on its way to another voter; proposals are refused meanwhile."""

    to: NodeId
    deadline_ms: int
    """Then it is given up, and this node leads on."""
    told: bool = False
    """`TimeoutNow` was sent."""


class Leading(Protocol):
    """One member of one group, as far as it leads."""

    me: NodeId
    settings: RaftSettings
    now_ms: int
    log: Log
    term: Term
    commit_index: Index
    role: Role
    peers: dict[NodeId, Progress]
    term_start: Index
    """While less is committed, this leader does not know what was committed before it."""
    uncommitted_bytes: int
    transfer: Transfer | None
    farewell_ms: int

    def post(self, to: NodeId, message: Any) -> None:
        """Send what promises nothing that is not durable already."""
        ...

    def is_stalled(self) -> bool:
        """Has our disk kept a write for longer than any election timeout?"""
        ...
