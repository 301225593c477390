"""Whether a message that was decoded may be meant for the replica that it is addressed to.

A member, a learner or a candidate that this node has not heard of yet passes: servers answer those
that are not in their membership (dissertation §4.1).
"""

from typing import Any, Final, get_args

from pnyx.consensus.multipaxos.messages import MultiPaxosMessage
from pnyx.consensus.raft.messages import RaftMessage
from pnyx.consensus.raft.raft import Raft
from pnyx.ids import ID_MAX, NodeId, Term
from pnyx.replica.messages import ReplicaMessage, SnapshotChunk
from pnyx.replica.replica import Replica

TERM_BELOW: Final = Term(ID_MAX // 2)
"""Only members may be in such a term: none that a stranger can make them adopt keeps them from
electing leaders in higher ones."""
TERM_LEAP_MAX: Final = 1 << 32
"""From `TERM_BELOW` on, so far may a member be ahead: more elections than anybody sleeps through.
Who a node is, it only says: one message in another's name must not use up the terms either."""

_OF_RAFT: Final = frozenset(get_args(RaftMessage))
_OF_MULTIPAXOS: Final = frozenset(get_args(MultiPaxosMessage))
_OF_ANY: Final = _OF_RAFT | _OF_MULTIPAXOS
_OF_REPLICAS: Final = frozenset(get_args(ReplicaMessage))


class Unfit(Exception):
    """No node of ours sends this. Nothing was stepped; the link that it came on is to be closed."""


def check_fits(sender: NodeId, message: Any, replica: Replica | None) -> None:
    """Return if `message` may be for `replica`, or for a group without one here.

    Raises:
        Unfit: of another engine or about no group, or with a term that leaves no room to grow.
    """
    kind = type(message)
    if replica is None:
        said = _OF_ANY
    else:
        said = _OF_RAFT if isinstance(replica.consensus, Raft) else _OF_MULTIPAXOS
    if kind in said:
        if message.term >= TERM_BELOW and replica is not None:
            _check_leap(sender, message.term, replica)
    elif kind is SnapshotChunk and replica is not None:
        if message.mark.term >= TERM_BELOW:
            _check_leap(sender, message.mark.term, replica)
    elif kind not in _OF_REPLICAS:
        raise Unfit(f"{kind.__name__} to a group that it cannot be for")


def _check_leap(sender: NodeId, term: Term, replica: Replica) -> None:
    consensus = replica.consensus
    is_member = consensus.membership.has(sender)
    if not is_member or term > max(TERM_BELOW, consensus.term) + TERM_LEAP_MAX:
        who = "a member" if is_member else "no member"
        raise Unfit(f"a term of {term} by {sender:x}, which is {who}")
