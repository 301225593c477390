"""Do compaction and snapshots keep what they must, on both ends?"""

import pytest

from pnyx.consensus.membership import Membership
from pnyx.consensus.raft.messages import (
    AppendEntries,
    AppendEntriesRefusal,
    AppendEntriesReply,
    Heartbeat,
    HeartbeatReply,
    RequestVote,
    RequestVoteReply,
)
from pnyx.consensus.ready import HardState, Mark, Role
from pnyx.ids import Index, NodeId, Term
from raftalone import Alone, append, of_type
from raftworld import World, terms

THREE = Membership((NodeId(1), NodeId(2), NodeId(3)))
FIVE = Membership(tuple(NodeId(n) for n in range(1, 6)))


def mark(index: int, term: int) -> Mark:
    return Mark(Index(index), Term(term))


def install(follower: Alone, at: Mark, membership: Membership = THREE) -> None:
    follower.raft.snapshot_installed(at, membership, follower.now_ms)
    follower.says()


# The receiver.


def test_a_snapshot_keeps_the_entries_after_it_that_agree() -> None:
    follower = Alone(1, 1, 1, 1)
    install(follower, mark(2, 1))
    assert follower.log == [1, 1]
    assert follower.writes[-1].compacted == mark(2, 1)
    assert follower.writes[-1].restart is None


def test_a_snapshot_drops_a_log_that_does_not_agree() -> None:
    follower = Alone(1, 1, 1, 1, term=3)
    install(follower, mark(2, 2), FIVE)
    assert (follower.log, follower.raft.last_index) == ([], 2)
    assert follower.writes[-1].restart == mark(2, 2)
    assert follower.raft.membership == FIVE


def test_a_snapshot_past_the_log_restarts_it_there() -> None:
    follower = Alone(1)
    install(follower, mark(50, 1))
    assert (follower.raft.commit_index, follower.raft.durable_index) == (50, 50)
    assert follower.hears(2, append(1, (50, 1), 1)) == [(2, AppendEntriesReply(Term(1), Index(51)))]


def test_a_snapshot_is_not_handed_out_again_as_entries() -> None:
    follower = Alone(1, 1, 1)
    install(follower, mark(2, 1))
    follower.hears(2, append(1, (3, 1), commit=3))
    assert [entry.index for entry in follower.applied] == [3]


def test_a_snapshot_of_a_newer_term_brings_that_term_along() -> None:
    follower = Alone(1, term=1)
    install(follower, mark(9, 4))
    assert follower.raft.term == 4
    assert follower.writes[-1].hard_state == HardState(Term(4))


def test_a_restart_below_the_term_of_its_own_log_does_not_fall_behind_it() -> None:
    """A crash between the snapshot and the write of its term."""
    follower = Alone(term=1, compacted=mark(9, 4))
    assert follower.raft.term == 4
    follower.says()
    assert follower.writes[0].hard_state == HardState(Term(4))


def test_a_vote_of_an_earlier_term_binds_nobody_in_the_term_of_a_snapshot() -> None:
    """Or who had it would have it again, whatever its log lacks."""
    follower = Alone(term=1, voted_for=3, compacted=mark(9, 4))
    said = follower.hears(3, RequestVote(Term(4), Index(8), Term(4), transfer=False))
    assert said == [(3, RequestVoteReply(Term(4), granted=False))]


def test_what_rests_on_an_installed_snapshot_waits_for_its_mark() -> None:
    follower = Alone(1)
    follower.hears(2, append(1, (1, 1)))
    follower.disk_held = True
    install(follower, mark(50, 1))
    assert follower.hears(2, append(1, (50, 1))) == []
    assert follower.syncs() == [(2, AppendEntriesReply(Term(1), Index(50)))]


def test_an_entry_on_its_way_to_the_disk_is_acknowledged_after_it_whatever_a_snapshot_says() -> (
    None
):
    """Found by S-10/2008: the stream's end was at an entry whose write was not durable yet."""
    follower = Alone(1)
    follower.disk_held = True
    follower.hears(2, append(1, (1, 1), 1))
    entry = follower.writes[-1]
    install(follower, mark(2, 1))
    assert follower.hears(2, append(1, (2, 1))) == []
    assert follower.raft.durable_index == 1
    assert (2, AppendEntriesReply(Term(1), Index(2))) in follower.syncs(entry.write_id)


def test_a_deposed_leader_that_conflicts_with_an_installed_snapshot_is_not_answered() -> None:
    follower = Alone(1, term=5)
    install(follower, mark(9, 4))
    assert follower.hears(2, append(5, (9, 5), 5)) == []
    assert (follower.raft.last_index, follower.raft.commit_index) == (9, 9)


def test_what_a_snapshot_replaced_is_acknowledged_to_nobody() -> None:
    follower = Alone(1, 1, term=5)
    follower.raft.step(NodeId(2), append(5, (2, 1), 5), follower.now_ms)
    follower.raft.snapshot_installed(mark(2, 4), THREE, follower.now_ms)
    assert of_type(follower.says(), AppendEntriesReply) == []


@pytest.mark.parametrize("last_agreed", [1, 2])
def test_a_deposed_leader_never_cuts_what_the_space_had_applied_before_a_crash(
    last_agreed: int,
) -> None:
    follower = Alone(1, 1, 1, 1, term=5, applied=3)
    assert follower.hears(2, append(5, (last_agreed, 1), 5)) == []
    assert follower.log == [1, 1, 1, 1]


def test_an_append_that_begins_below_the_boundary_is_asked_to_come_forward() -> None:
    follower = Alone(1, 1, compacted=mark(10, 1))
    said = follower.hears(2, append(1, (5, 1), *[1] * 9))
    assert said == [(2, AppendEntriesRefusal(Term(1), Index(5), Index(10), Term(1)))]


def test_entries_that_are_not_written_yet_survive_a_snapshot_before_them() -> None:
    follower = Alone(1)
    follower.disk_held = True
    follower.raft.step(NodeId(2), append(1, (1, 1), 1, 1, 1), follower.now_ms)
    install(follower, mark(3, 1))
    write = follower.writes[-1]
    assert (write.restart, [entry.index for entry in write.entries]) == (mark(3, 1), [4])


# The sender.


def compacted_leader() -> Alone:
    """Leads with entries 1..4 in its log, of which 1..3 are compacted; 3 has heard nothing."""
    leader = Alone(1, 1, 1).leads(agreeing=False)
    leader.hears(2, AppendEntriesReply(Term(2), Index(4)))
    leader.raft.compact(Index(3))
    leader.says()
    return leader


def refuse(leader: Alone, hint: int) -> list[tuple[NodeId, object]]:
    return leader.hears(3, AppendEntriesRefusal(Term(2), Index(3), Index(hint), Term(1)))


def test_a_peer_that_needs_compacted_entries_is_named_once() -> None:
    leader = compacted_leader()
    refuse(leader, 1)
    for _ in range(5):
        leader.waits(50)
        leader.hears(3, HeartbeatReply(Term(2), 9))
        leader.hears(2, HeartbeatReply(Term(2), 9))
    assert leader.snapshots == [3]


def test_no_entries_go_to_a_peer_that_gets_a_snapshot() -> None:
    leader = compacted_leader()
    refuse(leader, 1)
    said = leader.proposes()
    assert [to for to, _ in of_type(said, AppendEntries)] == [2]


def test_the_boundary_itself_can_be_probed_without_a_snapshot() -> None:
    leader = compacted_leader()
    leader.raft.peer_unreachable(NodeId(3))
    leader.waits(50)
    leader.raft.compact(Index(4))
    said = leader.hears(3, HeartbeatReply(Term(2), 9))
    assert (of_type(said, AppendEntries), leader.snapshots) == ([], [3]), "entry 1 is needed"
    leader.raft.snapshot_sent(NodeId(3), mark(4, 2), leader.now_ms)
    probe = of_type(leader.says(), AppendEntries)
    assert [(to, message.previous_index, message.previous_term) for to, message in probe] == [
        (3, 4, 2)
    ]


def test_after_a_snapshot_at_exactly_the_last_index_the_peer_goes_on() -> None:
    leader = compacted_leader()
    refuse(leader, 1)
    leader.raft.snapshot_sent(NodeId(3), mark(4, 2), leader.now_ms)
    leader.says()
    leader.hears(3, AppendEntriesReply(Term(2), Index(4)))
    said = of_type(leader.proposes(), AppendEntries)
    assert [(to, message.entries[0].index) for to, message in said] == [(2, 5), (3, 5)]


def test_a_failed_stream_is_repeated_only_after_a_sign_of_life() -> None:
    leader = compacted_leader()
    refuse(leader, 1)
    leader.raft.snapshot_sent(NodeId(3), None, leader.now_ms)
    leader.waits(50)
    assert leader.snapshots == [3]
    said = leader.hears(3, HeartbeatReply(Term(2), leader.raft._state.reads.round))
    (probe,) = [message for to, message in of_type(said, AppendEntries) if to == 3]
    assert leader.snapshots == [3], "what is still held is offered first"
    leader.hears(3, AppendEntriesRefusal(Term(2), probe.previous_index, Index(0), Term(0)))
    assert leader.snapshots == [3, 3]


def test_a_peer_that_refuses_the_stream_is_offered_what_is_still_held() -> None:
    """Swarm seed 18: its commit index was past the mark, so every stream was refused, for ever."""
    leader = compacted_leader()
    refuse(leader, 1)
    leader.raft.snapshot_sent(NodeId(3), None, leader.now_ms)
    leader.waits(50)
    said = leader.hears(3, HeartbeatReply(Term(2), leader.raft._state.reads.round))
    (probe,) = [message for to, message in of_type(said, AppendEntries) if to == 3]
    assert probe.previous_index == leader.raft.compacted.index
    leader.hears(3, AppendEntriesReply(Term(2), leader.raft.last_index))
    assert leader.raft.match_indexes()[NodeId(3)] == leader.raft.last_index


def test_a_lost_link_does_not_forget_where_a_probe_was() -> None:
    leader = compacted_leader()
    probe = leader.raft.state.peers[NodeId(3)].next
    leader.raft.peer_unreachable(NodeId(3))
    assert leader.raft.state.peers[NodeId(3)].next == probe


def test_a_peer_that_caught_up_otherwise_needs_no_snapshot() -> None:
    leader = compacted_leader()
    refuse(leader, 1)
    said = leader.hears(3, AppendEntriesReply(Term(2), Index(3)))
    assert [(to, message.previous_index) for to, message in of_type(said, AppendEntries)] == [
        (3, 3)
    ]


def test_a_snapshot_older_than_the_boundary_is_followed_by_another() -> None:
    leader = compacted_leader()
    refuse(leader, 1)
    leader.raft.snapshot_sent(NodeId(3), mark(2, 1), leader.now_ms)
    leader.says()
    assert leader.snapshots == [3, 3]


def test_a_heartbeat_to_a_peer_below_the_boundary_commits_nothing() -> None:
    leader = compacted_leader()
    beats = dict(of_type(leader.waits(50), Heartbeat))
    assert (beats[NodeId(3)].commit_index, beats[NodeId(3)].commit_term) == (0, 0)


def test_a_leader_elected_with_a_fully_compacted_log_serves_a_peer_it_knows_nothing_of() -> None:
    world = World(3)
    world.elect(1)
    world.crash(3)
    world.write(1, b"a", b"b")
    for number in (1, 2):
        world.compact(number, 3)
        world.take(number)
        world.sync(number)
        world.crash(number)
        world.restart(number)
    world.restart(3)
    world.run(3000)
    assert world.leader() in (1, 2)
    assert {member.core.commit_index for member in world.running} == {world[1].last_index}


def test_a_crash_during_an_install_ends_with_the_old_state_or_the_new() -> None:
    world = World(3)
    world.elect(1)
    world.crash(3)
    world.write(1, b"a", b"b")
    world.compact(1, 3)
    world.restart(3)
    world.members[NodeId(3)].disk_hangs = True
    world.run(200)
    assert world[3].commit_index == 3
    world.crash(3)
    world.restart(3)
    world.run(300)
    assert world[3].commit_index == world[1].commit_index
    assert world[1].role is Role.LEADER
    assert terms(world[3]) == []
