"""Raft §5.3 and Figure 2, AppendEntries and the rules of leaders: are the logs made alike?"""

from pnyx.consensus.member.messages import CommitIndex
from pnyx.consensus.raft.messages import (
    AppendEntries,
    AppendEntriesRefusal,
    AppendEntriesReply,
    Heartbeat,
    HeartbeatReply,
)
from pnyx.consensus.ready import EntryKind, Position, Refused
from pnyx.ids import Index, NodeId, Term
from raftalone import Alone, append, of_type
from raftworld import World, terms, with_logs


def accepted(term: int, index: int) -> AppendEntriesReply:
    return AppendEntriesReply(Term(term), Index(index))


# AppendEntries, receiver, rule by rule.


def test_an_append_of_an_older_term_is_refused() -> None:
    follower = Alone(1, term=3)
    said = follower.hears(2, append(2, (1, 1), 2))
    assert isinstance(said[0][1], AppendEntriesRefusal)
    assert follower.log == [1]


def test_an_append_after_an_entry_that_is_missing_is_refused() -> None:
    follower = Alone(1)
    said = follower.hears(2, append(1, (5, 1), 1))
    assert said == [(2, AppendEntriesRefusal(Term(1), Index(5), Index(1), Term(1)))]


def test_an_append_after_an_entry_of_another_term_is_refused() -> None:
    follower = Alone(1, 2, term=3)
    said = follower.hears(2, append(3, (2, 1), 3))
    assert isinstance(said[0][1], AppendEntriesRefusal)
    assert follower.log == [1, 2]


def test_an_entry_that_conflicts_goes_and_all_that_follow_it() -> None:
    follower = Alone(1, 1, 1, 1, term=2)
    follower.hears(2, append(2, (1, 1), 2))
    assert follower.log == [1, 2]


def test_entries_that_do_not_conflict_stay() -> None:
    follower = Alone(1, 1, 1, 1)
    assert follower.hears(2, append(1, (1, 1), 1)) == [(2, accepted(1, 2))]
    assert follower.log == [1, 1, 1, 1]


def test_an_append_that_is_heard_twice_changes_nothing_the_second_time() -> None:
    follower = Alone(1)
    message = append(1, (1, 1), 1, 1)
    first = follower.hears(2, message)
    writes = len(follower.writes)
    assert follower.hears(2, message) == first
    assert (follower.log, len(follower.writes)) == ([1, 1, 1], writes)


def test_new_entries_are_appended() -> None:
    follower = Alone(1)
    assert follower.hears(2, append(2, (1, 1), 1, 2)) == [(2, accepted(2, 3))]
    assert follower.log == [1, 1, 2]


def test_a_follower_commits_what_the_leader_committed() -> None:
    follower = Alone()
    follower.hears(2, append(1, (0, 0), 1, 1, 1, commit=2))
    assert follower.raft.commit_index == 2
    assert [entry.index for entry in follower.applied] == [1, 2]


def test_a_follower_commits_at_most_the_last_entry_of_the_message() -> None:
    follower = Alone(1, 1, 1, 1)
    follower.hears(2, append(2, (1, 1), 1, commit=4))
    assert follower.raft.commit_index == 2, "entries 3 and 4 may be another leader's"


def test_a_refused_append_commits_nothing() -> None:
    follower = Alone(1, 1)
    follower.hears(2, append(1, (5, 1), commit=2))
    assert follower.raft.commit_index == 0


def test_a_heartbeat_commits_only_what_is_the_same_here() -> None:
    follower = Alone(1, 1, 1, term=2)
    follower.hears(2, Heartbeat(Term(2), 1, Index(3), Term(2)))
    assert follower.raft.commit_index == 0
    follower.hears(2, Heartbeat(Term(2), 2, Index(2), Term(1)))
    assert follower.raft.commit_index == 2


def test_a_commit_index_never_falls() -> None:
    follower = Alone()
    follower.hears(2, append(1, (0, 0), 1, 1, commit=2))
    follower.hears(2, append(1, (0, 0), 1, commit=1))
    assert follower.raft.commit_index == 2


# Rules for leaders.


def test_a_leader_appends_a_command_and_sends_it_to_everybody() -> None:
    leader = Alone().leads()
    assert leader.raft.propose(b"x", leader.now_ms) == Position(Index(2), Term(1))
    said = of_type(leader.says(), AppendEntries)
    assert [(to, message.entries[0].payload) for to, message in said] == [(2, b"x"), (3, b"x")]


def test_anyone_else_refuses_a_command() -> None:
    follower = Alone()
    assert follower.raft.propose(b"x", follower.now_ms) == Refused("not leader")
    assert follower.log == []


def test_a_new_leader_first_sends_what_follows_its_own_log() -> None:
    leader = Alone(1, 1, 1)
    leader.stands()
    leader.leads(agreeing=False)
    state = leader.raft._state
    assert [(peer.next, peer.match) for peer in state.peers.values()] == [(4, 0), (4, 0)]


def test_an_accepted_append_moves_match_and_next() -> None:
    leader = Alone(1, 1).leads(agreeing=False)
    leader.hears(2, accepted(2, 3))
    progress = leader.raft._state.peers[NodeId(2)]
    assert (progress.match, progress.next) == (3, 4)


def test_a_refused_append_is_tried_again_further_back() -> None:
    leader = Alone(1, 1, 1).leads(agreeing=False)
    refusal = AppendEntriesRefusal(Term(2), Index(3), Index(1), Term(1))
    said = of_type(leader.hears(2, refusal), AppendEntries)
    assert [(to, message.previous_index) for to, message in said] == [(2, 1)]
    assert [entry.index for entry in said[0][1].entries] == [2, 3, 4]


def test_a_refusal_of_an_older_probe_is_ignored() -> None:
    leader = Alone(1, 1, 1).leads(agreeing=False)
    leader.hears(2, AppendEntriesRefusal(Term(2), Index(3), Index(2), Term(1)))
    before = leader.raft._state.peers[NodeId(2)].next
    assert leader.hears(2, AppendEntriesRefusal(Term(2), Index(3), Index(0), Term(0))) == []
    assert leader.raft._state.peers[NodeId(2)].next == before


def test_a_refusal_never_lowers_what_is_known_to_match() -> None:
    leader = Alone(1, 1, 1).leads()
    leader.hears(2, AppendEntriesRefusal(Term(2), Index(2), Index(0), Term(0)))
    leader.hears(2, AppendEntriesRefusal(Term(2), Index(9), Index(0), Term(0)))
    assert leader.raft.match_indexes() == {2: 4, 3: 4}


def test_an_entry_is_committed_once_a_majority_stores_it() -> None:
    leader = Alone(size=5).leads()
    leader.proposes()
    leader.hears(2, accepted(1, 2))
    assert leader.raft.commit_index == 1
    leader.hears(3, accepted(1, 2))
    assert leader.raft.commit_index == 2


def test_half_of_an_even_membership_is_no_majority() -> None:
    leader = Alone(size=4).leads()
    leader.proposes()
    leader.hears(2, accepted(1, 2))
    assert leader.raft.commit_index == 1


def test_committing_an_entry_commits_all_before_it() -> None:
    leader = Alone(1, 1, 1).leads(agreeing=False)
    leader.hears(2, accepted(2, 4))
    assert [entry.index for entry in leader.applied] == [1, 2, 3, 4]


def test_committed_commands_are_applied_in_log_order_once() -> None:
    world = World(3)
    world.elect(1)
    world.write(1, b"a", b"b", b"c")
    for member in world.running:
        payloads = [entry.payload for entry in member.applied]
        assert payloads == [b"", b"a", b"b", b"c"]


def test_a_leader_never_changes_or_removes_its_own_entries() -> None:
    world = with_logs([1, 1, 4], [1, 1], [1, 1])
    world.elect(1)
    world.write(1, b"a")
    assert terms(world[1]) == [1, 1, 4, 5, 5]


def test_a_term_has_one_entry_at_an_index() -> None:
    leader = Alone().leads()
    places = [leader.raft.propose(b"x", leader.now_ms) for _ in range(20)]
    assert len({place.index for place in places if isinstance(place, Position)}) == 20


def test_a_leader_goes_on_sending_to_a_follower_that_was_down_though_it_has_answered() -> None:
    world = World(3)
    world.elect(1)
    world.crash(3)
    world.write(1, b"a", b"b")
    assert world[1].commit_index == 3
    world.run(400)
    world.restart(3)
    world.run(200)
    assert terms(world[3]) == [1, 1, 1]


def test_one_slow_follower_does_not_delay_a_commit() -> None:
    world = World(3)
    world.elect(1)
    world.members[NodeId(3)].disk_hangs = True
    world.write(1, b"a")
    assert (world[1].commit_index, world[2].commit_index) == (2, 2)


def test_a_follower_learns_at_once_what_is_committed() -> None:
    leader = Alone().leads()
    leader.proposes()
    assert leader.hears(2, accepted(1, 2)) == [(2, CommitIndex(Term(1), Index(2), Term(1)))]


def test_the_commit_index_rides_on_an_append_that_is_due() -> None:
    leader = Alone().leads()
    leader.proposes()
    leader.raft.step(NodeId(2), accepted(1, 2), leader.now_ms)
    leader.raft.propose(b"y", leader.now_ms)
    to_2 = [message for to, message in leader.says() if to == 2]
    assert [type(message) for message in to_2] == [AppendEntries]
    assert to_2[0].commit_index == 2


def test_a_heartbeat_never_tells_a_commit_index_above_the_match_index() -> None:
    leader = Alone().leads()
    leader.proposes()
    leader.hears(2, accepted(1, 2))
    beats = of_type(leader.waits(50), Heartbeat)
    assert [(to, beat.commit_index) for to, beat in beats] == [(2, 2), (3, 1)]


def test_an_answered_heartbeat_does_not_count_as_stored_entries() -> None:
    leader = Alone().leads()
    leader.proposes()
    leader.waits(50)
    leader.hears(2, HeartbeatReply(Term(1), 2))
    assert leader.raft.commit_index == 1


def test_the_log_survives_a_crash() -> None:
    world = World(3)
    world.elect(1)
    world.write(1, b"a")
    for number in (1, 2, 3):
        world.crash(number)
        world.restart(number)
    world.run_until(lambda: world.leader() is not None)
    world.run(200)
    assert [entry.payload for entry in world.members[NodeId(2)].applied] == [b"", b"a", b""]


def test_an_acknowledgement_waits_until_the_entries_are_durable() -> None:
    follower = Alone()
    follower.disk_held = True
    assert follower.hears(2, append(1, (0, 0), 1)) == []
    assert follower.syncs() == [(2, accepted(1, 1))]


def test_entries_of_a_leader_carry_its_term_and_kind() -> None:
    leader = Alone(1).leads()
    leader.proposes(b"c")
    log = leader.raft._state.log
    kinds = [entry.kind for entry in log.page(Index(0), Index(3), 9, 99)]
    assert kinds == [EntryKind.COMMANDS, EntryKind.EMPTY, EntryKind.COMMANDS]
