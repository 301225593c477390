"""Heartbeats of a group in which nothing happens, told and answered without messages of their own.

As in raft/quiet.py: each rule does exactly what a `Beat` or its answer would do, and only if that
is all that would happen. Leader and follower are both happy then, and an answer says so.
"""

from pnyx.consensus.member.rest import is_at_rest, is_led_alone, take_answer
from pnyx.consensus.multipaxos.connectivity import hear, is_happy
from pnyx.consensus.multipaxos.messages import Beat, BeatReply
from pnyx.consensus.multipaxos.state import MultiPaxosState
from pnyx.consensus.ready import Role
from pnyx.ids import NodeId, Term


def beat(paxos: MultiPaxosState) -> Beat | None:
    """Return the heartbeat that is due, the same for all peers, if nothing else is to be said."""
    if paxos.role is not Role.LEADER or paxos.now_ms < paxos.beat_ms or paxos.beat_due:
        return None
    if not is_at_rest(paxos) or not is_happy(paxos):
        return None
    paxos.beat_ms = paxos.settings.next_beat_ms(paxos.now_ms)
    paxos.reads.begin_round(paxos.commit_index)
    log = paxos.log
    return Beat(paxos.term, paxos.reads.round, True, True, log.last_index, log.last_term)


def heard(paxos: MultiPaxosState, sender: NodeId, said: Beat) -> bool:
    """Take in a leader's heartbeat; return whether its answer is all that follows."""
    if not paxos.leader_happy or not is_led_alone(paxos, sender, said.term, said.commit_index):
        return False
    paxos.be_led()
    return True


def answered(
    paxos: MultiPaxosState, sender: NodeId, term: Term, heartbeat_round: int
) -> BeatReply | None:
    """Take in a peer's answer if nothing else follows; else return it as a message."""
    if not take_answer(paxos, sender, term, heartbeat_round):
        return BeatReply(term, heartbeat_round, happy=True)
    hear(paxos, sender, happy=True)
    return None
