"""Heartbeats of a group in which nothing happens, told and answered without messages of their own.

A node with many groups says all their heartbeats in one message (replica/chorus.py). Each rule here
does exactly what a `Heartbeat` or its answer would do, and only if that is all that would happen:
else it does nothing and says so, and the messages themselves are used. So whether a group is quiet
is a question of cost alone, never of what is true.
"""

from pnyx.consensus.member.rest import is_at_rest, is_led_alone, take_answer
from pnyx.consensus.raft import leader
from pnyx.consensus.raft.messages import Heartbeat, HeartbeatReply
from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.ready import Role
from pnyx.ids import NodeId, Term


def beat(raft: RaftState) -> Heartbeat | None:
    """Return the heartbeat that is due, the same for all peers, if nothing else is to be said."""
    if raft.role is not Role.LEADER or raft.now_ms < raft.heartbeat_deadline_ms:
        return None
    is_heard = raft.now_ms - leader.quorum_heard_ms(raft) < raft.settings.election_ms_max
    if raft.heartbeat_due or not is_heard or not is_at_rest(raft):
        return None
    raft.heartbeat_deadline_ms = raft.settings.next_beat_ms(raft.now_ms)
    raft.reads.begin_round(raft.commit_index)
    log = raft.log
    return Heartbeat(raft.term, raft.reads.round, log.last_index, log.last_term)


def heard(raft: RaftState, sender: NodeId, said: Heartbeat) -> bool:
    """Take in a leader's heartbeat; return whether its answer is all that follows."""
    if not is_led_alone(raft, sender, said.term, said.commit_index):
        return False
    raft.heard_ms = raft.now_ms
    raft.election_deadline_ms = raft.now_ms + raft.election_ms
    return True


def answered(
    raft: RaftState, sender: NodeId, term: Term, heartbeat_round: int
) -> HeartbeatReply | None:
    """Take in a peer's answer if nothing else follows; else return it as a message."""
    is_taken = take_answer(raft, sender, term, heartbeat_round)
    return None if is_taken else HeartbeatReply(term, heartbeat_round)
