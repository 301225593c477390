"""Is a group at rest: has its leader nothing to say to anybody but that it leads?"""

from pnyx.consensus.member.progress import Flow, Progress
from pnyx.consensus.member.state import MemberState
from pnyx.ids import Index


def is_at_rest(member: MemberState) -> bool:
    """Is all that there is known to every peer, and nothing asked for or under way here?"""
    last, log = member.log.last_index, member.log
    is_settled = member.commit_index == last == member.given_index == member.writes.durable_index
    return (
        is_settled
        and not (member.reads.waiting or member.has_notice)
        and not (member.send or member.delayed or member.snapshots)
        and member.transfer is None
        and not log.membership.outgoing
        and len(member.peers) == len(log.membership.peers(member.me))
        and all(_is_level(progress, last) for progress in member.peers.values())
        and member.writes.is_ground_durable()
    )


def _is_level(progress: Progress, last: Index) -> bool:
    return (
        progress.match == last
        and progress.flow is Flow.REPLICATE
        and progress.told_commit == last
        and not progress.inflight
        and not progress.poke
    )
