"""Leadership moves on purpose (dissertation §3.10).

While a transfer is under way nothing is appended, so that every proposal has its outcome before
another leader is chosen; after one election timeout it is given up and this leader leads on.
"""

from pnyx.consensus.raft.leading import Leading, Transfer
from pnyx.consensus.raft.messages import TimeoutNow
from pnyx.consensus.ready import Role
from pnyx.ids import NodeId


def begin(leading: Leading, to: NodeId | None) -> bool:
    """Start handing leadership to `to`; return whether anything was started."""
    if leading.role is not Role.LEADER:
        return False
    target = best_successor(leading) if to is None else to
    # Not to who is on its way out: it would have to hand over again.
    if target is None or target == leading.me or target not in leading.log.membership.voters:
        return False
    if leading.transfer is None or leading.transfer.to != target:
        leading.transfer = Transfer(target, leading.now_ms + leading.settings.election_ms_max)
    return True


def best_successor(leading: Leading) -> NodeId | None:
    """Return the most up-to-date other voter; of those the one heard last, then the lowest id."""
    voters = [peer for peer in leading.log.membership.voters if peer in leading.peers]
    return max(
        voters,
        key=lambda peer: (leading.peers[peer].match, leading.peers[peer].active_ms, -peer),
        default=None,
    )


def hand_over(leading: Leading) -> None:
    """Tell the target to stand once it holds everything and all of that is committed."""
    transfer = leading.transfer
    if transfer is None or transfer.told:
        return
    last_index = leading.log.last_index
    if leading.peers[transfer.to].match == last_index and leading.commit_index == last_index:
        leading.post(transfer.to, TimeoutNow(leading.term))
        transfer.told = True


def expire(leading: Leading) -> bool:
    """Give a transfer up that took too long; return whether one was."""
    if leading.transfer is None or leading.now_ms < leading.transfer.deadline_ms:
        return False
    leading.transfer = None
    return True
