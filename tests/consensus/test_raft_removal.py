"""Who may lead, stand and be counted while members change: the removed, the promoted, learners.

The letters are those of the list of known mistakes: each named test is one that somebody made.
"""

import msgspec
import pytest

from consensus.changing import (
    THREE,
    brings,
    change,
    hears_entries,
    members,
    nodes,
    world_of,
)
from pnyx.consensus.member.messages import CommitIndex, TimeoutNow
from pnyx.consensus.member.settings import MemberSettings
from pnyx.consensus.membership import Membership
from pnyx.consensus.raft.messages import (
    AppendEntriesReply,
    Heartbeat,
    HeartbeatReply,
    PreVote,
    RequestVote,
    RequestVoteReply,
)
from pnyx.consensus.ready import Position, Role
from pnyx.ids import Index, NodeId, Term
from raftalone import Alone, append, of_type
from raftworld import World

# E6: a leader that is removed.


def test_e6_a_removed_leader_hands_over_and_steps_down() -> None:
    world = world_of(3)
    change(world, members(2, 3))
    world.settle()
    assert world[1].role is Role.FOLLOWER
    assert world.leader() in (2, 3), "at once, not after an election timeout"
    beats = world.sent["Heartbeat"]
    world.isolate(2, 3)
    world.run(3000)
    assert world[1].role is Role.FOLLOWER
    assert world[1].term <= world[2].term
    assert world.sent["Heartbeat"] > beats, "the others have a leader"


def test_e6_a_removed_leader_leads_until_its_removal_is_committed() -> None:
    world = world_of(3)
    world.drops = lambda flight: any(
        entry.payload == msgspec.msgpack.encode(members(2, 3))
        for entry in getattr(flight.message, "entries", ())
    )
    change(world, members(2, 3))
    world.settle()
    assert world[1].membership == members(2, 3)
    assert isinstance(world.propose(1, b"accepted"), Position)
    assert world[1].role is Role.LEADER


def test_e6_a_removed_leader_does_not_count_itself() -> None:
    leader = Alone().leads()
    leader.raft.change_membership(members(2, 3), leader.now_ms)
    leader.says()
    leader.hears(2, AppendEntriesReply(Term(1), Index(2)))
    leader.hears(3, AppendEntriesReply(Term(1), Index(2)))
    assert leader.raft.membership == members(2, 3)
    leader.hears(2, AppendEntriesReply(Term(1), Index(3)))
    assert leader.raft.commit_index == 2, "one of two, and its own disk is not asked"
    said = leader.hears(3, AppendEntriesReply(Term(1), Index(3)))
    assert (leader.raft.commit_index, leader.raft.role) == (3, Role.FOLLOWER)
    assert [to for to, _ in of_type(said, CommitIndex)] == [2, 3]
    assert [to for to, _ in of_type(said, TimeoutNow)] == [2]


def test_the_voters_left_behind_are_needed_until_the_end_of_the_change_is_committed() -> None:
    """A leader to come may lack what ends it. Found by `pnyx health`, which counted the new."""
    leader = Alone().leads()
    assert leader.raft.outgoing == ()
    leader.raft.change_membership(members(1, 2), leader.now_ms)
    leader.says()
    assert leader.raft.outgoing == nodes(1, 2, 3)
    leader.hears(2, AppendEntriesReply(Term(1), Index(2)))
    assert (leader.raft.membership, leader.raft.outgoing) == (members(1, 2), nodes(1, 2, 3))
    leader.hears(2, AppendEntriesReply(Term(1), Index(3)))
    assert leader.raft.commit_index == 3
    assert leader.raft.outgoing == ()


def test_e6_a_removed_leader_steps_down_although_nobody_can_take_over() -> None:
    leader = Alone(size=5).leads()
    leader.raft.change_membership(members(2, 3, 4), leader.now_ms)
    leader.says()
    for peer in (2, 3):
        leader.hears(peer, AppendEntriesReply(Term(1), Index(2)))
    leader.proposes()
    for peer in (2, 3):
        leader.hears(peer, AppendEntriesReply(Term(1), Index(3)))
    assert leader.is_role(Role.LEADER), "its last entry has no outcome yet"
    for _ in range(13):
        leader.waits(50)
        for peer in (2, 3):
            leader.hears(peer, HeartbeatReply(Term(1), leader.raft._state.reads.round))
    assert leader.raft.role is Role.FOLLOWER


def test_e6_a_removed_leader_confirms_reads_by_the_others_alone() -> None:
    leader = Alone().leads()
    leader.raft.change_membership(members(2, 3), leader.now_ms)
    leader.says()
    for peer in (2, 3):
        leader.hears(peer, AppendEntriesReply(Term(1), Index(2)))
    leader.raft.read_barrier(5, leader.now_ms)
    current = of_type(leader.says(), Heartbeat)[0][1].round
    leader.hears(2, HeartbeatReply(Term(1), current))
    assert leader.reads == {}
    leader.hears(3, HeartbeatReply(Term(1), current))
    assert leader.reads == {5: 2}


# E7, C9: learners, votes and who may stand.


def test_a_learner_never_stands() -> None:
    learner = Alone(membership=members(2, 3, learners=(1,)))
    for _ in range(5):
        assert learner.waits_for_its_deadline() == []
    assert learner.raft.term == 0


def test_a_node_that_nobody_has_added_never_stands_and_takes_the_log() -> None:
    newcomer = Alone(membership=members(2, 3, 4))
    assert newcomer.waits_for_its_deadline() == []
    newcomer.hears(2, append(1, (0, 0), 1, 1, commit=2))
    assert (newcomer.log, newcomer.raft.commit_index) == ([1, 1], 2)
    assert newcomer.waits_for_its_deadline() == []


def test_a_node_without_any_membership_can_start() -> None:
    newcomer = Alone(membership=Membership(()))
    assert newcomer.waits_for_its_deadline() == []
    hears_entries(newcomer, 1, brings(1, 1, members(2, 3, learners=(1,))))
    assert newcomer.raft.membership == members(2, 3, learners=(1,))


def test_c9_a_learner_votes_by_term_vote_and_log_like_anybody() -> None:
    learner = Alone(membership=members(2, 3, learners=(1,)))
    said = learner.hears(3, RequestVote(Term(4), Index(0), Term(0), transfer=False))
    assert said == [(3, RequestVoteReply(Term(4), granted=True))]


def test_c9_a_vote_of_a_learner_is_not_counted() -> None:
    candidate = Alone(membership=members(1, 2, 3, learners=(4, 5)))
    candidate.stands()
    for voter in (4, 5):
        candidate.hears(voter, RequestVoteReply(Term(1), granted=True))
    assert candidate.raft.role is Role.CANDIDATE


def test_c9_who_does_not_know_of_its_promotion_elects_who_does() -> None:
    world = world_of(3, members(1, 2, learners=(3,)))
    world.cut(1, 3)
    change(world, members(1, 2, 3))
    world.settle()
    assert world[3].membership == members(1, 2, learners=(3,))
    assert world[2].membership.is_voter(NodeId(3))
    world.crash(1)
    world.restart(1)
    world.isolate(1)
    world.isolate(2, 3)
    world.run(5000)
    assert world[2].role is Role.LEADER, "3 is a majority's second vote and does not know it"


def test_e7_a_promoted_learner_is_led_to_at_once() -> None:
    world = world_of(4, members(1, 2, 3, learners=(4,)))
    change(world, members(1, 2, 4))
    world.settle()
    assert world[1].transfer_leadership(NodeId(4), world.now_ms)
    world.settle()
    assert world.leader() == 4


@pytest.mark.parametrize("target", [4, 3, 9])
def test_e7_leadership_goes_to_no_learner_removed_or_unknown_node(target: int) -> None:
    world = world_of(4, members(1, 2, 3, learners=(4,)))
    change(world, members(1, 2, learners=(4,)))
    world.settle()
    assert NodeId(3) in world[1].match_indexes(), "it is being told, and still no target"
    assert not world[1].transfer_leadership(NodeId(target), world.now_ms)
    assert isinstance(world.propose(1), Position), "no flag stays behind"


def test_e7_leadership_goes_to_nobody_who_is_on_the_way_out() -> None:
    leader = Alone().leads()
    leader.raft.change_membership(members(1, 2), leader.now_ms)
    assert not leader.raft.transfer_leadership(NodeId(3), leader.now_ms)


def test_e11_a_removal_that_is_committed_ends_the_right_to_stand() -> None:
    follower = Alone()
    joint = Membership(nodes(2, 3), outgoing=nodes(1, 2, 3))
    hears_entries(follower, 1, brings(1, 1, joint), brings(2, 1, members(2, 3)))
    assert of_type(follower.waits_for_its_deadline(), PreVote) != [], "it may still be needed"
    follower.hears(2, Heartbeat(Term(1), 1, Index(2), Term(1)))
    assert follower.raft.commit_index == 2
    assert follower.waits_for_its_deadline() == []


def test_e11_a_removed_node_leads_once_more_if_only_its_log_can_win() -> None:
    world = World(2, membership=members(1, learners=(2,)))
    world.elect(1)
    world.drops = lambda flight: any(
        entry.payload == msgspec.msgpack.encode(members(2))
        for entry in getattr(flight.message, "entries", ())
    )
    change(world, members(2))
    world.settle()
    assert world[1].membership == members(2)
    assert world[2].membership.outgoing == nodes(1), "2 needs 1's vote, whose log is longer"
    world.crash(1)
    world.restart(1)
    world.drops = lambda _flight: False
    world.run(10_000)
    assert (world.leader(), world[2].membership) == (2, members(2))
    assert world[1].role is Role.FOLLOWER


# C15: who was removed without hearing of it.


def test_c15_a_removed_node_that_missed_its_removal_disturbs_nobody() -> None:
    world = world_of(3)
    world.isolate(3)
    change(world, members(1, 2))
    world.run(2000)
    world.heal()
    world.run(10_000)
    assert (world.leader(), world[1].term) == (1, 1)


# B11, and growing from one.


def test_a_single_voter_grows_to_three_and_shrinks_again() -> None:
    world = World(3, membership=members(1))
    world.elect(1)
    for target in (members(1, learners=(2, 3)), members(1, 2, 3), members(3)):
        assert isinstance(change(world, target), Position)
        world.run(1000)
    assert world.leader() == 3
    world.write(3, b"alone")
    assert world[3].commit_index == world[3].last_index


def test_all_voters_are_replaced_at_once() -> None:
    world = world_of(6, members(1, 2, 3, learners=(4, 5, 6)))
    world.write(1, b"kept")
    change(world, members(4, 5, 6))
    world.run(1000)
    for number in (1, 2, 3):
        world.crash(number)
    world.run(3000)
    leader = world.leader()
    assert leader in (4, 5, 6)
    assert b"kept" in [entry.payload for entry in world.members[NodeId(5)].applied]


def test_a_voter_becomes_a_learner() -> None:
    world = world_of(3)
    change(world, members(1, 2, learners=(3,)))
    world.run(2000)
    assert world[3].membership == members(1, 2, learners=(3,))
    world.write(1, b"heard")
    assert world.members[NodeId(3)].applied[-1].payload == b"heard"


def test_a_change_is_counted_among_the_uncommitted_bytes_and_taken_back() -> None:
    world = World(4, settings=MemberSettings(), membership=THREE)
    world.elect(1)
    for target in (members(1, 2, 3, learners=(4,)), members(1, 2, 4), members(2, 4)):
        assert world[1]._state.uncommitted_bytes == 0
        change(world, target)
        assert world[1]._state.uncommitted_bytes > 0
        world.run(800)


# D4, G7: transfers.


def test_d4_a_read_during_a_transfer_is_never_stale() -> None:
    world = world_of(3)
    world.write(1, b"old")
    world[1].transfer_leadership(NodeId(2), world.now_ms)
    # 1 hears nothing of its successor, which wins with 3 and commits.
    world.take(1)
    while world.flights:
        world.deliver(world.flights.popleft())
    world.cut(1, 2)
    world.cut(1, 3)
    world.settle()
    assert world[2].role is Role.LEADER
    world.write(2, b"new")
    ticket = world.read(1)
    world.run(50)
    world.run(1000)
    assert world.members[NodeId(1)].reads == {ticket: None}


def test_g7_a_second_target_replaces_the_first_and_the_flag_still_ends() -> None:
    leader = Alone(size=5).leads()
    leader.proposes()
    assert leader.raft.transfer_leadership(NodeId(2), leader.now_ms)
    assert leader.raft.transfer_leadership(NodeId(3), leader.now_ms)
    for _ in range(13):
        leader.waits(50)
        for peer in (4, 5):
            leader.hears(peer, HeartbeatReply(Term(1), 1))
    assert isinstance(leader.raft.propose(b"x", leader.now_ms), Position)


def test_a_learner_whose_leader_is_gone_names_none_and_refuses_reads() -> None:
    learner = Alone(membership=members(2, 3, learners=(1,)))
    learner.hears(2, append(1, (0, 0), 1))
    learner.now_ms = learner.raft.deadline_ms
    learner.raft.read_barrier(5, learner.now_ms)
    learner.raft.tick(learner.now_ms)
    learner.says()
    assert (learner.raft.leader, learner.reads) == (None, {5: None})


def test_a_late_word_to_stand_moves_nobody_who_votes_no_more() -> None:
    """Its request would say that the leader wants it, and so depose that leader."""
    member = Alone(1, membership=members(2, 3, learners=(1,)))
    member.hears(2, append(1, (1, 1)))
    assert member.hears(2, TimeoutNow(Term(1))) == []
