"""Raft §5.2 and Figure 2, rules of followers and candidates: is a leader chosen as written?"""

from pnyx.consensus.raft.messages import (
    AppendEntries,
    Heartbeat,
    HeartbeatReply,
    PreVote,
    PreVoteReply,
    RequestVote,
    RequestVoteReply,
)
from pnyx.consensus.ready import HardState, Position, Role
from pnyx.ids import Index, NodeId, Term
from raftalone import ME, Alone, append, of_type
from raftworld import World


def vote(term: int, index: int = 0, last_term: int = 0) -> RequestVote:
    return RequestVote(Term(term), Index(index), Term(last_term), transfer=False)


def heartbeat(term: int) -> Heartbeat:
    return Heartbeat(Term(term), 1, Index(0), Term(0))


def test_a_server_starts_as_a_follower() -> None:
    assert Alone(3, 3).raft.role is Role.FOLLOWER


def test_a_follower_that_keeps_hearing_heartbeats_stays_a_follower() -> None:
    follower = Alone()
    for _ in range(100):
        follower.hears(2, heartbeat(1))
        follower.waits(50)
    assert (follower.raft.role, follower.raft.term) == (Role.FOLLOWER, 1)


def test_a_follower_that_hears_nothing_for_its_election_timeout_stands() -> None:
    follower = Alone()
    waited_ms = follower.raft.deadline_ms - follower.now_ms
    assert follower.waits(waited_ms - 1) == []
    assert of_type(follower.waits(1), PreVote) != []
    assert 300 <= waited_ms < 600


def test_granting_a_vote_restarts_the_election_timeout() -> None:
    follower = Alone()
    before_ms = follower.raft.deadline_ms
    follower.now_ms += 100
    follower.hears(2, vote(1))
    assert follower.raft.deadline_ms == before_ms + 100


def test_refusing_a_vote_does_not_restart_the_election_timeout() -> None:
    follower = Alone(1, 1)
    before_ms = follower.raft.deadline_ms
    follower.now_ms += 100
    follower.hears(2, vote(2))
    assert follower.raft.deadline_ms == before_ms


def test_a_message_of_an_old_leader_does_not_restart_the_election_timeout() -> None:
    follower = Alone(term=3)
    before_ms = follower.raft.deadline_ms
    follower.now_ms += 100
    follower.hears(2, heartbeat(2))
    assert follower.raft.deadline_ms == before_ms


def test_a_candidate_raises_its_term_votes_for_itself_and_asks_everybody() -> None:
    candidate = Alone(1, term=4, size=5)
    said = candidate.stands()
    assert candidate.writes[-1].hard_state == HardState(Term(5), ME)
    assert said == [(NodeId(n), vote(5, 1, 1)) for n in (2, 3, 4, 5)]


def test_no_vote_is_asked_for_before_the_own_vote_is_durable() -> None:
    candidate = Alone()
    candidate.disk_held = True
    assert candidate.stands() == []
    assert [to for to, _ in candidate.syncs()] == [2, 3]


def test_a_candidate_restarts_its_election_timeout_when_it_stands() -> None:
    candidate = Alone()
    candidate.waits_for_its_deadline()
    stood_ms = candidate.now_ms
    candidate.hears(2, PreVoteReply(Term(0), Term(1), granted=True))
    assert stood_ms + 300 <= candidate.raft._state.election_deadline_ms < stood_ms + 600


def test_votes_of_a_majority_make_a_leader_and_one_less_does_not() -> None:
    candidate = Alone(size=5)
    candidate.stands()
    candidate.hears(2, RequestVoteReply(Term(1), granted=True))
    assert candidate.is_role(Role.CANDIDATE)
    candidate.hears(4, RequestVoteReply(Term(1), granted=True))
    assert candidate.is_role(Role.LEADER)


def test_a_vote_that_arrives_twice_counts_once() -> None:
    candidate = Alone(size=5)
    candidate.stands()
    for _ in range(3):
        candidate.hears(2, RequestVoteReply(Term(1), granted=True))
    assert candidate.raft.role is Role.CANDIDATE


def test_a_server_votes_for_at_most_one_candidate_in_a_term_first_come_first_served() -> None:
    follower = Alone()
    assert follower.hears(2, vote(1)) == [(2, RequestVoteReply(Term(1), granted=True))]
    assert follower.hears(3, vote(1)) == [(3, RequestVoteReply(Term(1), granted=False))]


def test_a_repeated_request_gets_the_same_answer_again() -> None:
    follower = Alone()
    first = follower.hears(2, vote(1))
    assert follower.hears(2, vote(1)) == first == [(2, RequestVoteReply(Term(1), granted=True))]


def test_a_vote_survives_a_crash() -> None:
    follower = Alone(term=1, voted_for=2)
    assert follower.hears(3, vote(1)) == [(3, RequestVoteReply(Term(1), granted=False))]


def test_a_vote_is_kept_when_stepping_down_within_the_term() -> None:
    candidate = Alone()
    candidate.stands()
    candidate.hears(2, append(1, (0, 0)))
    assert candidate.raft.role is Role.FOLLOWER
    assert candidate.hears(3, vote(1)) == [(3, RequestVoteReply(Term(1), granted=False))]


def test_a_vote_leaves_only_when_it_is_durable() -> None:
    follower = Alone()
    follower.disk_held = True
    assert follower.hears(2, vote(1)) == []
    assert follower.syncs() == [(2, RequestVoteReply(Term(1), granted=True))]


def test_term_and_vote_are_one_write() -> None:
    follower = Alone()
    follower.hears(2, vote(7))
    assert [write.hard_state for write in follower.writes] == [HardState(Term(7), NodeId(2))]


def test_a_leader_announces_itself_at_once() -> None:
    candidate = Alone()
    candidate.stands()
    said = candidate.hears(2, RequestVoteReply(Term(1), granted=True))
    assert [to for to, _ in of_type(said, Heartbeat)] == [2, 3]
    assert [to for to, _ in of_type(said, AppendEntries)] == [2, 3]


def test_an_idle_leader_repeats_its_heartbeats() -> None:
    leader = Alone().leads()
    for _ in range(4):
        leader.hears(2, HeartbeatReply(Term(1), 1))
        assert [to for to, _ in leader.waits(50)] == [2, 3]


def test_a_candidate_that_hears_a_leader_of_its_term_follows_it() -> None:
    candidate = Alone()
    candidate.stands()
    candidate.hears(3, append(1, (0, 0)))
    assert (candidate.raft.role, candidate.raft.leader) == (Role.FOLLOWER, 3)


def test_a_candidate_rejects_a_leader_of_an_older_term_and_goes_on() -> None:
    candidate = Alone(term=4)
    candidate.stands()
    said = candidate.hears(3, append(4, (0, 0)))
    assert [reply.term for _, reply in said] == [5]
    assert candidate.raft.role is Role.CANDIDATE


def test_a_candidate_without_a_majority_tries_again_after_a_new_timeout() -> None:
    candidate = Alone()
    candidate.stands()
    candidate.waits(600)
    said = of_type([*candidate.says(), *candidate.waits(60)], PreVote)
    assert {message.campaign_term for _, message in said} == {2}


def test_a_candidate_repeats_its_request_to_whoever_has_not_answered() -> None:
    candidate = Alone(size=5)
    first = candidate.stands()
    candidate.hears(2, RequestVoteReply(Term(1), granted=True))
    assert candidate.waits(50) == first[1:]


def test_a_candidate_that_a_majority_refuses_becomes_a_follower() -> None:
    candidate = Alone()
    candidate.stands()
    candidate.hears(2, RequestVoteReply(Term(1), granted=False))
    candidate.hears(3, RequestVoteReply(Term(1), granted=False))
    assert candidate.raft.role is Role.FOLLOWER


def test_election_timeouts_are_spread_over_the_whole_interval() -> None:
    drawn = {Alone(seed=seed).raft.deadline_ms - 1000 for seed in range(400)}
    assert min(drawn) < 320
    assert max(drawn) >= 580
    assert len(drawn) > 150


def test_a_split_vote_is_resolved_by_the_random_timeouts() -> None:
    world = World(4)
    world.drops = lambda flight: {flight.sender, flight.to} in ({1, 2}, {3, 4}, {1, 4}, {2, 3})
    world.run(2000)
    assert world.leader() is None
    world.drops = lambda _flight: False
    world.run_until(lambda: world.leader() is not None, within_ms=3000)


def test_a_deposed_leader_commits_nothing() -> None:
    world = World(3)
    world.elect(1)
    world.isolate(1)
    assert isinstance(world.propose(1), Position)
    world.run(5000)
    assert world[1].commit_index == 1
    assert world[1].role is not Role.LEADER


def test_there_is_no_leader_without_a_majority() -> None:
    world = World(5)
    world.isolate(1, 2)
    world.crash(3)
    world.run(5000)
    assert world.leader() is None


def test_a_single_server_elects_itself_once_its_vote_is_durable() -> None:
    alone = Alone(size=1)
    alone.disk_held = True
    alone.stands()
    assert alone.is_role(Role.CANDIDATE)
    alone.syncs()
    assert alone.is_role(Role.LEADER)
