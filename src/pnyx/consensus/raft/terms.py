"""Levels the term of every message, requests and replies alike, before any role sees it.

Raft §5.1 in one place: a higher term is adopted, a lower one is answered with ours so that its
sender learns it, and only messages of our own term go on. The one exception comes first: whoever
still hears its leader drops a request for votes unread, or a node that was cut off for a while
could depose a working leader with its term alone (dissertation §4.2.3).
"""

from typing import Any, Final

from pnyx.consensus.member.messages import CommitIndex, ReadIndex, ReadIndexReply, TimeoutNow
from pnyx.consensus.raft.messages import (
    AppendEntries,
    AppendEntriesRefusal,
    Heartbeat,
    HeartbeatReply,
    PreVote,
    PreVoteReply,
    RaftMessage,
    RequestVote,
    RequestVoteReply,
)
from pnyx.consensus.raft.roles import adopt_term
from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.ready import Role
from pnyx.ids import Index, NodeId, Term


def level(raft: RaftState, sender: NodeId, message: RaftMessage) -> bool:
    """Return whether `message` is of our term now and is to be looked at."""
    if isinstance(message, (RequestVote, PreVote)) and _disturbs(raft, message):
        return False
    if message.term > raft.term:
        adopt_term(raft, message.term)
    elif message.term < raft.term:
        answer = _ANSWERS.get(type(message))
        if answer is not None:
            raft.promise(raft.writes.id_for_ground(), sender, answer(raft.term, message))
        return False
    return True


def is_loyal(raft: RaftState) -> bool:
    """Do we lead, or did we hear a leader within the least election timeout?"""
    if raft.role is Role.LEADER:
        return True
    since_ms = raft.now_ms - raft.heard_ms
    return raft.leader is not None and since_ms < raft.settings.election_ms_min


def _disturbs(raft: RaftState, message: RequestVote | PreVote) -> bool:
    if isinstance(message, PreVote):
        return message.campaign_term > raft.term and is_loyal(raft)
    return message.term > raft.term and not message.transfer and is_loyal(raft)


def _refuse_append(term: Term, message: Any) -> RaftMessage:
    return AppendEntriesRefusal(term, message.previous_index, Index(0), Term(0))


def _refuse_heartbeat(term: Term, message: Any) -> RaftMessage:
    return HeartbeatReply(term, getattr(message, "round", 0))


def _refuse_pre_vote(term: Term, message: Any) -> RaftMessage:
    return PreVoteReply(term, message.campaign_term, granted=False)


def _refuse_vote(term: Term, _message: Any) -> RaftMessage:
    return RequestVoteReply(term, granted=False)


def _refuse_read(term: Term, message: Any) -> RaftMessage:
    return ReadIndexReply(term, message.boot, message.counter, None)


# A deposed leader or a late candidate must learn the term; a late reply needs no answer.
_ANSWERS: Final = {
    AppendEntries: _refuse_append,
    Heartbeat: _refuse_heartbeat,
    CommitIndex: _refuse_heartbeat,
    TimeoutNow: _refuse_heartbeat,
    PreVote: _refuse_pre_vote,
    RequestVote: _refuse_vote,
    ReadIndex: _refuse_read,
}
