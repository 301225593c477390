"""Heartbeats of a group in which nothing happens, told and answered without messages of their own.

A node with many groups says all their heartbeats in one message (replica/chorus.py). Each rule here
does exactly what a `Heartbeat` or its answer would do, and only if that is all that would happen:
else it does nothing and says so, and the messages themselves are used. So whether a group is quiet
is a question of cost alone, never of what is true.
"""

from pnyx.consensus.member.progress import Flow, Progress
from pnyx.consensus.raft import leader
from pnyx.consensus.raft.messages import Heartbeat
from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.ready import Role
from pnyx.ids import Index, NodeId, Term


def beat(raft: RaftState) -> Heartbeat | None:
    """Return the heartbeat that is due, the same for all peers, if nothing else is to be said."""
    if raft.role is not Role.LEADER or raft.now_ms < raft.heartbeat_deadline_ms:
        return None
    last, log = raft.log.last_index, raft.log
    is_settled = raft.commit_index == last == raft.given_index == raft.writes.durable_index
    at_rest = (
        is_settled
        and not (raft.reads.waiting or raft.heartbeat_due or raft.has_notice)
        and not (raft.send or raft.delayed or raft.snapshots)
        and raft.transfer is None
        and not log.membership.outgoing
        and len(raft.peers) == len(log.membership.peers(raft.me))
        and all(_is_level(progress, last) for progress in raft.peers.values())
        and raft.now_ms - leader.quorum_heard_ms(raft) < raft.settings.election_ms_max
    )
    if not at_rest or raft.writes.id_for_ground() > raft.writes.durable_id:
        return None
    raft.heartbeat_deadline_ms = raft.settings.next_beat_ms(raft.now_ms)
    raft.reads.begin_round(raft.commit_index)
    return Heartbeat(raft.term, raft.reads.round, last, log.last_term)


def heard(raft: RaftState, sender: NodeId, said: Heartbeat) -> bool:
    """Take in a leader's heartbeat; return whether its answer is all that follows."""
    if (
        raft.role is not Role.FOLLOWER
        or raft.leader != sender
        or raft.term != said.term
        or raft.commit_index < said.commit_index
        or raft.writes.id_for_ground() > raft.writes.durable_id
    ):
        return False
    raft.heard_ms = raft.now_ms
    raft.election_deadline_ms = raft.now_ms + raft.election_ms
    return True


def answered(raft: RaftState, sender: NodeId, term: Term, heartbeat_round: int) -> bool:
    """Take in a peer's answer; return whether nothing else follows."""
    progress = raft.peers.get(sender)
    if (
        raft.role is not Role.LEADER
        or raft.term != term
        or progress is None
        or raft.reads.confirming
        or progress.paused
        or progress.inflight
    ):
        return False
    progress.active_ms = raft.now_ms
    progress.acked_round = max(progress.acked_round, heartbeat_round)
    return True


def _is_level(progress: Progress, last: Index) -> bool:
    return (
        progress.match == last
        and progress.flow is Flow.REPLICATE
        and progress.told_commit == last
        and not progress.inflight
        and not progress.poke
    )
