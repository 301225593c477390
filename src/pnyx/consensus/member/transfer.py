"""Leadership moves on purpose (dissertation §3.10).

While a transfer is under way nothing is appended, so that every proposal has its outcome before
another leader is chosen; after one election timeout it is given up and this leader leads on.
"""

from pnyx.consensus.member.messages import TimeoutNow
from pnyx.consensus.member.state import MemberState, Transfer
from pnyx.consensus.ready import Role
from pnyx.ids import NodeId


def begin(member: MemberState, to: NodeId | None) -> bool:
    """Start handing leadership to `to`; return whether anything was started."""
    if member.role is not Role.LEADER:
        return False
    target = best_successor(member) if to is None else to
    # Not to who is on its way out: it would have to hand over again.
    if target is None or target == member.me or target not in member.log.membership.voters:
        return False
    if member.transfer is None or member.transfer.to != target:
        member.transfer = Transfer(target, member.now_ms + member.settings.election_ms_max)
    return True


def best_successor(member: MemberState) -> NodeId | None:
    """Return the most up-to-date other voter; of those the one heard last, then the lowest id."""
    voters = [peer for peer in member.log.membership.voters if peer in member.peers]
    return max(
        voters,
        key=lambda peer: (member.peers[peer].match, member.peers[peer].active_ms, -peer),
        default=None,
    )


def hand_over(member: MemberState) -> None:
    """Tell the target to stand once it holds everything and all of that is committed."""
    transfer = member.transfer
    if transfer is None or transfer.told:
        return
    last_index = member.log.last_index
    if member.peers[transfer.to].match == last_index and member.commit_index == last_index:
        member.post(transfer.to, TimeoutNow(member.term))
        transfer.told = True


def resign(member: MemberState) -> None:
    """Have the best successor stand at once: our own disk hangs.

    Heartbeats do not need the disk, so without this a hung disk would keep its leader for ever.
    """
    successor = best_successor(member)
    if successor is not None:
        member.post(successor, TimeoutNow(member.term))


def expire(member: MemberState) -> bool:
    """Give a transfer up that took too long; return whether one was."""
    if member.transfer is None or member.now_ms < member.transfer.deadline_ms:
        return False
    member.transfer = None
    return True
