"""Ongaro's dissertation: pre-vote (§9.6), disruption (§4.2.3), reads (§6.4), transfer (§3.10)."""

from typing import Any

import pytest

from pnyx.consensus.member.messages import ReadIndex, ReadIndexReply, TimeoutNow
from pnyx.consensus.raft.messages import (
    AppendEntries,
    AppendEntriesReply,
    Heartbeat,
    HeartbeatReply,
    PreVote,
    PreVoteReply,
    RequestVote,
    RequestVoteReply,
)
from pnyx.consensus.ready import Refused, Role
from pnyx.ids import Index, NodeId, Term
from raftalone import Alone, append, of_type
from raftworld import World


def pre_vote(term: int, index: int = 0, last_term: int = 0) -> PreVote:
    return PreVote(Term(term), Term(term + 1), Index(index), Term(last_term))


# §9.6, pre-vote.


def test_a_pre_candidate_raises_no_term_and_writes_nothing() -> None:
    follower = Alone(term=4)
    said = follower.waits_for_its_deadline()
    assert [message.campaign_term for _, message in of_type(said, PreVote)] == [5, 5]
    assert (follower.raft.term, follower.writes) == (4, [])


def test_a_cut_off_member_does_not_raise_its_term_for_ever() -> None:
    world = World(3)
    world.elect(1)
    world.isolate(3)
    world.run(30_000)
    assert world[3].term == 1
    world.heal()
    world.run(1000)
    assert (world.leader(), world[1].term) == (1, 1), "its return disturbs nobody"


def test_a_pre_vote_is_granted_only_to_a_log_that_is_up_to_date() -> None:
    follower = Alone(1, 2)
    behind = follower.hears(2, pre_vote(2, 5, 1))
    assert behind == [(2, PreVoteReply(Term(2), Term(3), granted=False))]
    level = follower.hears(3, pre_vote(2, 2, 2))
    assert level == [(3, PreVoteReply(Term(2), Term(3), granted=True))]


def test_a_pre_vote_promises_nothing() -> None:
    follower = Alone(term=1)
    for candidate in (2, 3):
        said = follower.hears(candidate, pre_vote(1))
        assert said == [(candidate, PreVoteReply(Term(1), Term(2), granted=True))]
    assert follower.writes == []


def test_a_granted_pre_vote_is_not_a_vote() -> None:
    candidate = Alone()
    candidate.stands()
    candidate.hears(2, PreVoteReply(Term(1), Term(2), granted=True))
    candidate.hears(3, PreVoteReply(Term(1), Term(2), granted=True))
    assert candidate.raft.role is Role.CANDIDATE


def test_an_answer_to_an_earlier_pre_vote_is_not_counted() -> None:
    follower = Alone(term=4)
    follower.waits_for_its_deadline()
    follower.hears(2, PreVoteReply(Term(4), Term(4), granted=True))
    assert follower.raft.role is Role.PRE_CANDIDATE


def test_a_refusal_that_tells_a_higher_term_ends_the_pre_vote() -> None:
    follower = Alone(term=4)
    follower.waits_for_its_deadline()
    follower.hears(2, PreVoteReply(Term(7), Term(5), granted=False))
    assert (follower.raft.role, follower.raft.term) == (Role.FOLLOWER, 7)


def test_hearing_the_leader_again_ends_the_pre_vote() -> None:
    follower = Alone(term=4)
    follower.waits_for_its_deadline()
    follower.hears(3, append(4, (0, 0)))
    follower.hears(2, PreVoteReply(Term(4), Term(5), granted=True))
    assert (follower.raft.role, follower.raft.leader) == (Role.FOLLOWER, 3)


def test_a_late_pre_vote_of_a_lower_term_is_refused_with_the_term() -> None:
    follower = Alone(term=6)
    follower.hears(3, append(6, (0, 0)))
    said = follower.hears(2, pre_vote(3))
    assert said == [(2, PreVoteReply(Term(6), Term(4), granted=False))]


def test_two_members_whose_terms_differ_still_elect_a_leader() -> None:
    world = World(3)
    world.crash(3)
    world[1]._state.term = Term(9)
    world[1]._state.writes.hard_state_changed = True
    world.settle()
    world.run_until(lambda: world.leader() is not None, within_ms=4000)


def test_a_returning_member_of_a_higher_term_does_not_lock_the_cluster() -> None:
    world = World(3)
    world.elect(1)
    world[3]._state.term = Term(9)
    world[3]._state.writes.hard_state_changed = True
    world.settle()
    world.run(3000)
    assert world.leader() is not None
    assert all(member.core.term > 9 for member in world.running)


# §4.2.3, disruption.


@pytest.mark.parametrize(
    "request_", [RequestVote(Term(9), Index(9), Term(9), transfer=False), pre_vote(9, 9, 9)]
)
def test_who_hears_its_leader_drops_a_request_for_votes_unread(request_: Any) -> None:
    follower = Alone()
    follower.hears(2, append(1, (0, 0)))
    follower.now_ms += 299
    assert follower.hears(3, request_) == []
    assert (follower.raft.term, follower.raft.leader) == (1, 2)


def test_who_has_not_heard_its_leader_for_an_election_timeout_answers() -> None:
    follower = Alone()
    follower.hears(2, append(1, (0, 0)))
    follower.now_ms += 300
    said = follower.hears(3, RequestVote(Term(9), Index(0), Term(0), transfer=False))
    assert said == [(3, RequestVoteReply(Term(9), granted=True))]


def test_a_leader_drops_a_request_for_votes_unread() -> None:
    leader = Alone().leads()
    request = RequestVote(Term(9), Index(9), Term(9), transfer=False)
    assert leader.hears(3, request) == []
    assert (leader.raft.role, leader.raft.term) == (Role.LEADER, 1)


# §6.2, a leader without a quorum.


def test_a_leader_that_hears_no_quorum_for_an_election_timeout_steps_down() -> None:
    leader = Alone(size=5).leads()
    for _ in range(11):
        leader.waits(50)
        leader.hears(2, HeartbeatReply(Term(1), 1))
    assert leader.raft.role is Role.LEADER
    leader.waits(50)
    assert (leader.raft.role, leader.raft.term) == (Role.FOLLOWER, 1)


def test_snapshot_chunks_count_as_signs_of_life() -> None:
    leader = Alone().leads()
    for _ in range(40):
        leader.waits(50)
        leader.raft.peer_alive(NodeId(2), leader.now_ms)
    assert leader.raft.role is Role.LEADER


# §6.4, reads without the log.


def test_a_read_waits_for_a_heartbeat_round_begun_after_it() -> None:
    leader = Alone().leads()
    leader.raft.read_barrier(5, leader.now_ms)
    beats = of_type(leader.says(), Heartbeat)
    assert leader.reads == {}
    leader.hears(2, HeartbeatReply(Term(1), beats[0][1].round))
    assert leader.reads == {5: 1}


def test_an_answer_to_an_earlier_round_confirms_no_read() -> None:
    leader = Alone().leads()
    earlier = of_type(leader.waits(50), Heartbeat)[0][1].round
    leader.raft.read_barrier(5, leader.now_ms)
    leader.says()
    leader.hears(2, HeartbeatReply(Term(1), earlier))
    leader.hears(3, HeartbeatReply(Term(1), earlier))
    assert leader.reads == {}


def test_a_read_needs_a_majority() -> None:
    leader = Alone(size=5).leads()
    leader.raft.read_barrier(5, leader.now_ms)
    current = of_type(leader.says(), Heartbeat)[0][1].round
    leader.hears(2, HeartbeatReply(Term(1), current))
    assert leader.reads == {}
    leader.hears(3, HeartbeatReply(Term(1), current))
    assert leader.reads == {5: 1}


def test_a_read_is_refused_until_an_entry_of_the_own_term_is_committed() -> None:
    leader = Alone(1, 1).leads(agreeing=False)
    leader.raft.read_barrier(5, leader.now_ms)
    leader.says()
    assert leader.reads == {5: None}
    leader.hears(2, AppendEntriesReply(Term(2), Index(3)))
    leader.raft.read_barrier(6, leader.now_ms)
    current = of_type(leader.says(), Heartbeat)[0][1].round
    leader.hears(2, HeartbeatReply(Term(2), current))
    assert leader.reads[6] == 3


def test_reads_that_arrive_together_share_a_round() -> None:
    leader = Alone().leads()
    for ticket in range(100):
        leader.raft.read_barrier(ticket, leader.now_ms)
    beats = of_type(leader.says(), Heartbeat)
    assert len(beats) == 2
    leader.hears(3, HeartbeatReply(Term(1), beats[0][1].round))
    assert leader.reads == dict.fromkeys(range(100), 1)


def test_reads_that_arrive_during_a_round_wait_for_the_next() -> None:
    leader = Alone().leads()
    leader.raft.read_barrier(1, leader.now_ms)
    first = of_type(leader.says(), Heartbeat)[0][1].round
    leader.raft.read_barrier(2, leader.now_ms)
    assert leader.says() == []
    said = leader.hears(2, HeartbeatReply(Term(1), first))
    assert leader.reads == {1: 1}
    leader.hears(2, HeartbeatReply(Term(1), of_type(said, Heartbeat)[0][1].round))
    assert leader.reads == {1: 1, 2: 1}


def test_a_deposed_leader_refuses_the_reads_that_wait() -> None:
    leader = Alone().leads()
    leader.raft.read_barrier(5, leader.now_ms)
    leader.says()
    leader.hears(2, append(9, (0, 0)))
    assert leader.reads == {5: None}


def test_a_read_that_nobody_confirms_is_refused_within_an_election_timeout() -> None:
    leader = Alone().leads()
    leader.raft.read_barrier(5, leader.now_ms)
    leader.says()
    for _ in range(7):
        leader.waits(50)
    assert leader.reads == {5: None}


def test_a_follower_asks_the_leader_what_its_reads_must_wait_for() -> None:
    follower = Alone()
    follower.hears(2, append(1, (0, 0), 1, 1))
    for ticket in (8, 9):
        follower.raft.read_barrier(ticket, follower.now_ms)
    assert follower.says() == [(2, ReadIndex(Term(1), 77, 1))]
    follower.hears(2, ReadIndexReply(Term(1), 77, 1, Index(2)))
    assert follower.reads == {8: 2, 9: 2}


@pytest.mark.parametrize(("boot", "counter"), [(76, 1), (77, 2)])
def test_an_answer_to_another_question_releases_no_read(boot: int, counter: int) -> None:
    follower = Alone()
    follower.hears(2, append(1, (0, 0), 1))
    follower.raft.read_barrier(8, follower.now_ms)
    follower.says()
    follower.hears(2, ReadIndexReply(Term(1), boot, counter, Index(1)))
    assert follower.reads == {}


def test_a_follower_without_a_leader_refuses_reads_at_once() -> None:
    follower = Alone()
    follower.raft.read_barrier(8, follower.now_ms)
    follower.says()
    assert follower.reads == {8: None}


def test_a_follower_refuses_reads_that_the_leader_does_not_answer() -> None:
    follower = Alone()
    follower.hears(2, append(1, (0, 0)))
    follower.raft.read_barrier(8, follower.now_ms)
    follower.says()
    follower.waits_for_its_deadline()
    assert follower.reads == {8: None}
    assert follower.now_ms <= 1300


def test_a_leader_answers_a_follower_s_question_when_its_round_is_confirmed() -> None:
    leader = Alone().leads()
    current = of_type(leader.hears(3, ReadIndex(Term(1), 9, 4)), Heartbeat)[0][1].round
    said = leader.hears(2, HeartbeatReply(Term(1), current))
    assert said == [(3, ReadIndexReply(Term(1), 9, 4, Index(1)))]


def test_a_member_that_does_not_lead_refuses_a_question() -> None:
    follower = Alone(term=1)
    assert follower.hears(3, ReadIndex(Term(1), 9, 4)) == [(3, ReadIndexReply(Term(1), 9, 4, None))]


def test_a_single_server_confirms_its_own_reads() -> None:
    leader = Alone(size=1).leads()
    leader.raft.read_barrier(5, leader.now_ms)
    leader.says()
    assert leader.reads == {5: 1}


def test_a_restarted_single_server_refuses_reads_until_it_knows_what_is_committed() -> None:
    alone = Alone(1, 1, size=1)
    alone.disk_held = True
    alone.stands()
    alone.syncs()
    for ticket, synced in ((1, False), (2, True)):
        if synced:
            alone.syncs()
        alone.raft.read_barrier(ticket, alone.now_ms)
        alone.says()
    assert (alone.raft.role, alone.reads) == (Role.LEADER, {1: None, 2: 3})


def test_a_leader_that_was_replaced_unawares_confirms_no_read() -> None:
    world = World(3)
    world.elect(1)
    world.isolate(1)
    world.elect(2)
    world.write(2, b"new")
    ticket = world.read(1)
    world.run(1000)
    assert world.members[NodeId(1)].reads == {ticket: None}


# §3.10, leadership transfer.


def test_leadership_goes_to_a_member_that_has_caught_up() -> None:
    world = World(3)
    world.elect(1)
    assert world[1].transfer_leadership(NodeId(3), world.now_ms)
    world.settle()
    assert (world.leader(), world[1].role) == (3, Role.FOLLOWER)


def test_without_a_wish_the_most_up_to_date_voter_is_chosen() -> None:
    world = World(3)
    world.elect(1)
    world.crash(2)
    world.write(1, b"a")
    world.restart(2)
    assert world[1].transfer_leadership(None, world.now_ms)
    world.settle()
    assert world.leader() == 3


def test_the_leader_waits_until_the_target_has_caught_up() -> None:
    leader = Alone().leads()
    leader.proposes()
    leader.raft.transfer_leadership(NodeId(2), leader.now_ms)
    assert of_type(leader.says(), TimeoutNow) == []
    said = leader.hears(2, AppendEntriesReply(Term(1), Index(2)))
    assert of_type(said, TimeoutNow) == [(2, TimeoutNow(Term(1)))]


def test_the_leader_waits_until_its_own_proposals_are_committed() -> None:
    leader = Alone(size=5).leads()
    leader.proposes()
    leader.raft.transfer_leadership(NodeId(2), leader.now_ms)
    assert of_type(leader.hears(2, AppendEntriesReply(Term(1), Index(2))), TimeoutNow) == []
    said = leader.hears(3, AppendEntriesReply(Term(1), Index(2)))
    assert of_type(said, TimeoutNow) == [(2, TimeoutNow(Term(1)))]


def test_proposals_are_refused_during_a_transfer() -> None:
    leader = Alone().leads()
    leader.raft.transfer_leadership(NodeId(2), leader.now_ms)
    assert leader.raft.propose(b"x", leader.now_ms) == Refused("transferring")


def test_a_transfer_is_given_up_after_one_election_timeout() -> None:
    leader = Alone().leads()
    leader.raft.transfer_leadership(NodeId(2), leader.now_ms)
    for _ in range(12):
        leader.waits(50)
        leader.hears(3, HeartbeatReply(Term(1), 1))
    assert leader.raft.role is Role.LEADER
    assert leader.proposes() != []


def test_a_transfer_leaves_no_flag_behind_when_leadership_is_lost() -> None:
    world = World(3)
    world.elect(1)
    world[1].transfer_leadership(NodeId(2), world.now_ms)
    world.settle()
    world.elect(1)
    world.write(1, b"accepted")
    assert world[1].commit_index == world[1].last_index


def test_a_transfer_is_the_one_reason_to_disturb_a_leader() -> None:
    follower = Alone()
    follower.hears(2, append(1, (0, 0)))
    said = follower.hears(3, RequestVote(Term(2), Index(0), Term(0), transfer=True))
    assert said == [(3, RequestVoteReply(Term(2), granted=True))]


def test_the_target_stands_at_once_without_a_pre_vote() -> None:
    follower = Alone(1)
    follower.hears(2, append(1, (1, 1)))
    said = follower.hears(2, TimeoutNow(Term(1)))
    expected = RequestVote(Term(2), Index(1), Term(1), transfer=True)
    assert said == [(2, expected), (3, expected)]


@pytest.mark.parametrize("target", [1, 9])
def test_leadership_is_not_handed_to_itself_or_to_a_stranger(target: int) -> None:
    leader = Alone().leads()
    assert not leader.raft.transfer_leadership(NodeId(target), leader.now_ms)
    assert leader.proposes() != []


def test_only_a_leader_hands_over() -> None:
    follower = Alone()
    assert not follower.raft.transfer_leadership(NodeId(2), follower.now_ms)


# §10.2.1, writing in parallel.


def test_a_leader_sends_entries_while_its_own_write_is_under_way() -> None:
    leader = Alone().leads()
    leader.disk_held = True
    assert [to for to, _ in of_type(leader.proposes(), AppendEntries)] == [2, 3]


# A leader whose disk hangs.


def test_a_leader_whose_disk_hangs_refuses_proposals_and_hands_over() -> None:
    leader = Alone().leads()
    leader.disk_held = True
    leader.proposes()
    said: list[tuple[NodeId, Any]] = []
    for _ in range(12):
        said += leader.waits(50)
        leader.hears(2, HeartbeatReply(Term(1), 1))
    leader.now_ms += 1
    assert leader.raft.propose(b"x", leader.now_ms) == Refused("stalled")
    said += leader.waits(49)
    assert of_type(said, TimeoutNow) == [(2, TimeoutNow(Term(1)))]
    assert leader.raft.role is Role.FOLLOWER


def test_a_member_whose_disk_hangs_does_not_stand() -> None:
    follower = Alone()
    follower.disk_held = True
    follower.hears(2, append(1, (0, 0), 1))
    for _ in range(10):
        assert of_type(follower.waits(600), PreVote, RequestVote) == []
    follower.syncs()
    assert of_type(follower.waits(600), PreVote) != []


def test_a_cluster_whose_leader_s_disk_hangs_is_led_by_another() -> None:
    world = World(3)
    world.elect(1)
    world.members[NodeId(1)].disk_hangs = True
    world.propose(1)
    world.run(3000)
    assert world.leader() in (2, 3)
