"""Leadership moves on purpose (dissertation §3.10).

While a transfer is under way nothing is appended, so that every proposal has its outcome before
another leader is chosen; after one election timeout it is given up and this leader leads on.
"""

from pnyx.consensus.raft.messages import TimeoutNow
from pnyx.consensus.raft.state import RaftState, Transfer
from pnyx.consensus.ready import Role
from pnyx.ids import NodeId


def begin(raft: RaftState, to: NodeId | None) -> bool:
    """Start handing leadership to `to`; return whether anything was started."""
    if raft.role is not Role.LEADER:
        return False
    target = best_successor(raft) if to is None else to
    # Not to who is on its way out: it would have to hand over again.
    if target is None or target == raft.me or target not in raft.log.membership.voters:
        return False
    if raft.transfer is None or raft.transfer.to != target:
        raft.transfer = Transfer(target, raft.now_ms + raft.settings.election_ms_max)
    return True


def best_successor(raft: RaftState) -> NodeId | None:
    """Return the most up-to-date other voter; of those the one heard last, then the lowest id."""
    voters = [peer for peer in raft.log.membership.voters if peer in raft.peers]
    return max(
        voters,
        key=lambda peer: (raft.peers[peer].match, raft.peers[peer].active_ms, -peer),
        default=None,
    )


def hand_over(raft: RaftState) -> None:
    """Tell the target to stand once it holds everything and all of that is committed."""
    transfer = raft.transfer
    if transfer is None or transfer.told:
        return
    last_index = raft.log.last_index
    if raft.peers[transfer.to].match == last_index and raft.commit_index == last_index:
        raft.post(transfer.to, TimeoutNow(raft.term))
        transfer.told = True


def expire(raft: RaftState) -> bool:
    """Give a transfer up that took too long; return whether one was."""
    if raft.transfer is None or raft.now_ms < raft.transfer.deadline_ms:
        return False
    raft.transfer = None
    return True
