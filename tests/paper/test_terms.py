"""Raft §5.1: does every message's term do what the paper says?"""

from typing import Any

import pytest

from pnyx.consensus.member.messages import CommitIndex, ReadIndex, ReadIndexReply, TimeoutNow
from pnyx.consensus.raft.messages import (
    AppendEntriesRefusal,
    AppendEntriesReply,
    Heartbeat,
    HeartbeatReply,
    PreVote,
    PreVoteReply,
    RequestVote,
    RequestVoteReply,
)
from pnyx.consensus.ready import Role
from pnyx.ids import Index, Term
from raftalone import Alone, append


def messages(term: int) -> list[Any]:
    """One of every kind, the requests first."""
    at, zero = Term(term), Index(0)
    return [
        append(term, (0, 0)),
        Heartbeat(at, 1, zero, Term(0)),
        CommitIndex(at, zero, Term(0)),
        TimeoutNow(at),
        PreVote(at, Term(term + 1), zero, Term(0)),
        RequestVote(at, zero, Term(0), transfer=True),
        ReadIndex(at, 1, 1),
        AppendEntriesReply(at, zero),
        AppendEntriesRefusal(at, zero, zero, Term(0)),
        HeartbeatReply(at, 1),
        PreVoteReply(at, Term(term + 1), granted=True),
        RequestVoteReply(at, granted=True),
        ReadIndexReply(at, 1, 1, None),
    ]


def by_name(message: Any) -> str:
    return type(message).__name__


# A pre-vote is the one message a leader drops unread: its term reaches it with heartbeat answers.
levelled = [message for message in messages(9) if not isinstance(message, PreVote)]


@pytest.mark.parametrize("message", levelled, ids=by_name)
def test_a_leader_that_hears_any_higher_term_steps_down(message: Any) -> None:
    leader = Alone().leads()
    leader.hears(2, message)
    assert leader.raft.term >= 9
    assert leader.raft.role is not Role.LEADER


@pytest.mark.parametrize("message", levelled, ids=by_name)
def test_a_candidate_that_hears_any_higher_term_takes_it_over(message: Any) -> None:
    candidate = Alone()
    candidate.stands()
    candidate.hears(2, message)
    assert candidate.raft.term >= 9
    assert candidate.writes[-1].hard_state is not None


@pytest.mark.parametrize("message", messages(9), ids=by_name)
def test_a_follower_that_hears_any_higher_term_takes_it_over(message: Any) -> None:
    follower = Alone(term=3)
    follower.hears(2, message)
    assert follower.raft.term >= 9


@pytest.mark.parametrize("message", messages(2)[:7], ids=by_name)
def test_a_request_with_a_stale_term_is_answered_with_the_newer_term(message: Any) -> None:
    follower = Alone(term=3)
    said = follower.hears(2, message)
    assert [(to, reply.term) for to, reply in said] == [(2, 3)]
    assert follower.raft.leader is None


@pytest.mark.parametrize("message", messages(2)[7:], ids=by_name)
def test_an_answer_with_a_stale_term_is_ignored(message: Any) -> None:
    candidate = Alone(term=3)
    candidate.stands()
    assert candidate.hears(2, message) == []
    assert (candidate.raft.term, candidate.raft.role) == (4, Role.CANDIDATE)


def test_a_term_never_falls() -> None:
    follower = Alone(term=5)
    follower.hears(2, append(2, (0, 0), 2))
    assert (follower.raft.term, follower.log) == (5, [])


def test_a_new_term_forgets_the_vote_of_the_old_one() -> None:
    follower = Alone(term=5, voted_for=2)
    said = follower.hears(3, RequestVote(Term(6), Index(0), Term(0), transfer=False))
    assert said == [(3, RequestVoteReply(Term(6), granted=True))]


def test_the_answer_that_tells_a_new_term_waits_until_the_term_is_durable() -> None:
    follower = Alone(term=5)
    follower.disk_held = True
    assert follower.hears(2, Heartbeat(Term(6), 1, Index(0), Term(0))) == []
    assert follower.syncs() == [(2, HeartbeatReply(Term(6), 1))]
