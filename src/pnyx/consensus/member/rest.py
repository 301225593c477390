"""Is a group at rest: does nothing but heartbeats and their answers happen in it?"""

from pnyx.consensus.member.progress import Flow, Progress
from pnyx.consensus.member.state import MemberState
from pnyx.consensus.ready import Role
from pnyx.ids import Index, NodeId, Term


def is_at_rest(member: MemberState) -> bool:
    """Is all that there is known to every peer, and nothing asked for or under way here?"""
    last, log = member.log.last_index, member.log
    is_settled = member.commit_index == last == member.given_index == member.writes.durable_index
    return (
        is_settled
        and not (member.reads.waiting or member.has_notice or member.thrift.is_owed)
        and not (member.send or member.delayed or member.snapshots)
        and member.transfer is None
        and not log.membership.outgoing
        and len(member.peers) == len(log.membership.peers(member.me))
        and all(_is_level(progress, last) for progress in member.peers.values())
        and member.writes.is_ground_durable()
    )


def is_led_alone(member: MemberState, sender: NodeId, term: Term, commit_index: Index) -> bool:
    """Is it all that follows from `sender`'s heartbeat that it leads still, as is known here?"""
    return (
        member.role is Role.FOLLOWER
        and member.leader == sender
        and member.term == term
        and member.commit_index >= commit_index
        and member.writes.id_for_ground() <= member.writes.durable_id
    )


def take_answer(member: MemberState, sender: NodeId, term: Term, heartbeat_round: int) -> bool:
    """Take in that `sender` answered a heartbeat, if nothing else follows from it."""
    progress = member.peers.get(sender)
    if (
        member.role is not Role.LEADER
        or member.term != term
        or progress is None
        or member.reads.confirming
        or progress.paused
        or progress.inflight
    ):
        return False
    progress.active_ms = member.now_ms
    progress.answered(heartbeat_round)
    return True


def _is_level(progress: Progress, last: Index) -> bool:
    return (
        progress.match == last
        and progress.flow is Flow.REPLICATE
        and progress.told_commit == last
        and not progress.inflight
        and not progress.poke
    )
