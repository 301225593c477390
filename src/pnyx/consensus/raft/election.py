"""How a leader is chosen: ask whether a vote would be won, then ask for the votes (§5.2, §9.6).

Only the candidate's membership decides whose vote counts; anyone answers by term, vote and log.
A candidate's own vote counts when it is durable, like everybody else's.
"""

from pnyx.consensus.quorum import verdict
from pnyx.consensus.raft.leader import lead
from pnyx.consensus.raft.messages import PreVote, PreVoteReply, RequestVote, RequestVoteReply
from pnyx.consensus.raft.roles import Event, change_role
from pnyx.consensus.raft.state import FAILURES_MAX, RaftState
from pnyx.consensus.ready import Role
from pnyx.ids import Index, NodeId, Term


def tick(raft: RaftState) -> None:
    """Stand when the leader was not heard for too long; repeat what was not answered."""
    raft.reads.expire(raft.now_ms)
    if raft.now_ms >= raft.election_deadline_ms:
        campaign(raft)
    elif raft.role is not Role.FOLLOWER and raft.now_ms >= raft.ask_again_ms:
        _ask(raft)


def campaign(raft: RaftState) -> None:
    """Find out whether an election could be won, without disturbing anybody (§9.6)."""
    if raft.role is Role.CANDIDATE:
        raft.failures = min(raft.failures + 1, FAILURES_MAX)
    raft.draw_patience()
    if not raft.may_stand():
        # Whoever led is gone as far as we know: nobody must wait for it here.
        raft.leader = None
        raft.reads.refuse_all()
        return
    if raft.is_stalled():
        # A leader that cannot write is worse than none: wait until the disk answers.
        if raft.role is not Role.FOLLOWER:
            change_role(raft, Event.DISK_STALLED)
        return
    change_role(raft, Event.ELECTION_TIMEOUT)
    raft.votes[raft.me] = True
    _ask(raft)
    _count(raft)


def stand(raft: RaftState, event: Event) -> None:
    """Ask for votes in a new term (Raft §5.2)."""
    change_role(raft, event)
    raft.term = Term(raft.term + 1)
    raft.voted_for = raft.me
    raft.writes.hard_state_changed = True
    raft.handed_over = event is Event.TIMEOUT_NOW
    raft.draw_patience()
    _ask(raft)


def on_pre_vote(raft: RaftState, sender: NodeId, message: PreVote) -> None:
    """Say what we would answer. Nothing is promised and no timer is reset."""
    granted = message.campaign_term > raft.term and _is_up_to_date(
        raft, message.last_term, message.last_index
    )
    reply = PreVoteReply(raft.term, message.campaign_term, granted)
    raft.promise(raft.writes.id_for_ground(), sender, reply)


def on_request_vote(raft: RaftState, sender: NodeId, message: RequestVote) -> None:
    """Vote once a term, for whoever asks first and has at least our log (§5.2, §5.4.1)."""
    granted = raft.voted_for == sender
    if raft.voted_for is None and _is_up_to_date(raft, message.last_term, message.last_index):
        granted = True
        raft.voted_for = sender
        raft.writes.hard_state_changed = True
        raft.election_deadline_ms = raft.now_ms + raft.election_ms
    reply = RequestVoteReply(raft.term, granted)
    raft.promise(raft.writes.id_for_ground(), sender, reply)


def on_pre_vote_reply(raft: RaftState, sender: NodeId, message: PreVoteReply) -> None:
    """Count what a voter would say, unless it speaks of another campaign."""
    if raft.role is Role.PRE_CANDIDATE and message.campaign_term == raft.term + 1:
        raft.votes[sender] = message.granted
        _count(raft)


def on_request_vote_reply(raft: RaftState, sender: NodeId, message: RequestVoteReply) -> None:
    """Count a vote. Counting by voter makes a repeated answer harmless."""
    if raft.role is Role.CANDIDATE:
        raft.votes[sender] = message.granted
        _count(raft)


def on_persisted(raft: RaftState) -> None:
    """Our own vote counts from now on, if that is what became durable."""
    if raft.me not in raft.votes and raft.writes.is_ground_durable():
        raft.votes[raft.me] = True
        _count(raft)


def _count(raft: RaftState) -> None:
    won = verdict(raft.votes, raft.log.membership)
    if won is None:
        return
    if not won:
        change_role(raft, Event.VOTE_LOST)
    elif raft.role is Role.PRE_CANDIDATE:
        stand(raft, Event.PRE_VOTE_WON)
    else:
        change_role(raft, Event.VOTE_WON)
        lead(raft)


def _ask(raft: RaftState) -> None:
    raft.ask_again_ms = raft.now_ms + raft.settings.heartbeat_ms
    log = raft.log
    for voter in raft.voters():
        if voter in raft.votes:
            continue
        if raft.role is Role.PRE_CANDIDATE:
            campaign_term = Term(raft.term + 1)
            request = PreVote(raft.term, campaign_term, log.last_index, log.last_term)
            # It tells our real term, which must not be unknown to us after a crash.
            raft.promise(raft.writes.id_for_ground(), voter, request)
        else:
            vote = RequestVote(raft.term, log.last_index, log.last_term, raft.handed_over)
            raft.promise(raft.writes.id_for_ground(), voter, vote)


def _is_up_to_date(raft: RaftState, last_term: Term, last_index: Index) -> bool:
    # By term first: a longer log of an older term may lack what was committed since (§5.4.1).
    return (last_term, last_index) >= (raft.log.last_term, raft.log.last_index)
