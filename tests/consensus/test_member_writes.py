"""Does every promise wait for the right write, whatever is overwritten meanwhile?"""

import msgspec

from pnyx.consensus.membership import Membership
from pnyx.consensus.raft.messages import (
    AppendEntriesReply,
    Heartbeat,
    HeartbeatReply,
    RequestVote,
    RequestVoteReply,
)
from pnyx.consensus.ready import Entry, EntryKind, HardState, Mark, Position
from pnyx.ids import Index, NodeId, Term
from raftalone import Alone, append


def accepted(term: int, index: int) -> AppendEntriesReply:
    return AppendEntriesReply(Term(term), Index(index))


def slow(*log: int, term: int | None = None) -> Alone:
    follower = Alone(*log, term=term)
    follower.disk_held = True
    return follower


def test_an_overwritten_write_proves_nothing_when_it_completes() -> None:
    """The ABA race: entry 2 of term 1, of term 2, of term 1 again; the first write completes."""
    follower = slow(1)
    follower.hears(2, append(1, (1, 1), 1))
    follower.hears(3, append(2, (1, 1), 2))
    follower.hears(2, append(3, (1, 1), 1))
    first, second, third = follower.writes
    said = follower.syncs(first.write_id)
    assert follower.raft.durable_index == 1
    assert accepted(3, 2) not in [message for _, message in said]
    follower.syncs(second.write_id)
    assert follower.raft.durable_index == 1, "what term 2 wrote is void by now"
    assert (2, accepted(3, 2)) in follower.syncs(third.write_id)
    assert follower.raft.durable_index == 2


def test_a_leader_does_not_count_its_own_write_of_an_earlier_life_as_follower() -> None:
    follower = slow(1, term=1)
    follower.hears(2, append(1, (1, 1), 1))
    assert follower.raft.durable_index == 1
    follower.disk_held = False
    follower.stands()
    follower.syncs()
    assert follower.raft.durable_index == follower.raft.last_index


def test_an_acknowledgement_of_a_repeated_append_waits_for_the_first_one_s_write() -> None:
    follower = slow(1)
    follower.hears(2, append(1, (1, 1), 1))
    assert follower.hears(2, append(1, (1, 1), 1)) == []
    assert follower.hears(2, append(1, (2, 1))) == [], "an empty append, too"
    assert follower.syncs() == [(2, accepted(1, 2))] * 3


def test_an_acknowledgement_waits_for_the_term_that_it_is_told_in() -> None:
    """The entry may be durable sooner; and in Multi-Paxos it counts though it was born before."""
    follower = slow(1)
    follower.hears(2, append(1, (1, 1), 1))
    follower.hears(3, append(2, (1, 1), 1))
    entry, term = follower.writes
    assert follower.syncs(entry.write_id) == [(2, accepted(1, 2))]
    assert follower.syncs(term.write_id) == [(3, accepted(2, 2))]


def test_an_acknowledgement_of_what_is_durable_waits_for_nothing() -> None:
    follower = slow(1, 1)
    follower.hears(2, append(1, (2, 1), 1))
    assert follower.hears(2, append(1, (0, 0), 1)) == [(2, accepted(1, 1))]


def test_a_heartbeat_is_answered_while_entries_are_being_written() -> None:
    follower = slow(1)
    follower.hears(2, append(1, (1, 1), 1))
    beat = Heartbeat(Term(1), 1, Index(0), Term(0))
    assert follower.hears(2, beat) == [(2, HeartbeatReply(Term(1), 1))]


def test_a_heartbeat_of_a_new_term_is_answered_once_the_term_is_durable() -> None:
    follower = slow(1)
    follower.hears(2, append(2, (1, 1), 2))
    assert follower.hears(2, Heartbeat(Term(2), 1, Index(0), Term(0))) == []
    said = follower.syncs(follower.writes[0].write_id)
    assert (2, HeartbeatReply(Term(2), 1)) in said


def test_a_heartbeat_that_came_with_others_is_answered_once_the_term_is_durable_too() -> None:
    follower = slow(1)
    follower.hears(2, append(2, (1, 1)))
    beat = Heartbeat(Term(2), 1, Index(0), Term(0))
    assert not follower.raft.quiet_heard(NodeId(2), beat, follower.now_ms)
    follower.syncs()
    assert follower.raft.quiet_heard(NodeId(2), beat, follower.now_ms)


def test_a_vote_and_the_entries_before_it_are_promised_in_order() -> None:
    follower = slow(1)
    follower.hears(2, append(1, (1, 1), 1))
    follower.now_ms += 300
    follower.hears(3, RequestVote(Term(2), Index(2), Term(1), transfer=False))
    assert [write.hard_state for write in follower.writes] == [None, HardState(Term(2), NodeId(3))]
    said = follower.syncs(1)
    assert said == [(2, accepted(1, 2))]
    assert follower.syncs(2) == [(3, RequestVoteReply(Term(2), granted=True))]


def test_a_late_completion_after_a_cut_does_not_raise_what_is_durable() -> None:
    follower = slow(1)
    follower.hears(2, append(1, (1, 1), 1, 1, 1))
    follower.hears(3, append(2, (2, 1), 2))
    follower.syncs(1)
    assert follower.raft.durable_index == 2
    follower.syncs(2)
    assert follower.raft.durable_index == 3


def test_a_cut_is_written_as_the_rewritten_index() -> None:
    follower = Alone(1, 1, 1)
    follower.hears(2, append(2, (1, 1), 2))
    assert [entry.index for entry in follower.writes[-1].entries] == [2]
    assert follower.writes[-1].hard_state == HardState(Term(2))


def test_a_matching_append_cuts_nothing_on_disk() -> None:
    follower = Alone(1, 1, 1)
    follower.hears(2, append(1, (0, 0), 1, 1))
    assert follower.writes == []


def test_a_new_leader_does_not_count_its_unwritten_empty_entry() -> None:
    candidate = Alone(size=1)
    candidate.stands()
    assert candidate.raft.commit_index == 1
    held = Alone(size=1)
    held.disk_held = True
    held.stands()
    held.syncs()
    assert (held.raft.last_index, held.raft.commit_index) == (1, 0)


def test_only_what_is_durable_here_is_handed_out() -> None:
    follower = slow()
    follower.hears(2, append(1, (0, 0), 1, 1, commit=2))
    assert (follower.raft.commit_index, follower.applied) == (2, [])
    follower.syncs()
    assert [entry.index for entry in follower.applied] == [1, 2]


def test_a_restart_hands_out_only_what_was_not_applied() -> None:
    follower = Alone(1, 1, 1, applied=2)
    follower.hears(2, append(1, (3, 1), commit=3))
    assert [entry.index for entry in follower.applied] == [3]


def test_a_restart_knows_what_was_applied_to_be_committed() -> None:
    assert Alone(1, 1, 1, applied=2).raft.commit_index == 2


def test_a_compaction_is_written_with_the_term_at_the_boundary() -> None:
    follower = Alone(1, 1, 1, applied=3)
    follower.raft.compact(Index(2))
    follower.says()
    assert follower.writes[-1].compacted == Mark(Index(2), Term(1))
    assert follower.raft.compacted == Mark(Index(2), Term(1))
    assert follower.raft.log_bytes == 1


def test_compacting_again_at_or_below_the_boundary_does_nothing() -> None:
    follower = Alone(1, 1, 1, applied=3)
    follower.raft.compact(Index(2))
    follower.says()
    follower.raft.compact(Index(2))
    follower.raft.compact(Index(1))
    assert follower.raft.ready() is None


def test_a_membership_entry_takes_effect_on_append_and_goes_with_a_cut() -> None:
    five = Membership(tuple(NodeId(n) for n in range(1, 6)))
    payload = msgspec.msgpack.encode(five)
    message = append(1, (1, 1))
    change = Entry(Index(2), Term(1), EntryKind.MEMBERSHIP, payload)
    follower = Alone(1)
    follower.hears(2, msgspec.structs.replace(message, entries=(change,)))
    assert follower.raft.membership == five
    follower.hears(3, append(2, (1, 1), 2))
    assert len(follower.raft.membership.voters) == 3


def test_success_means_this_entry_at_this_index_in_this_term() -> None:
    """A proposal's place names its term: another entry there is not ours."""
    leader = Alone().leads()
    place = leader.raft.propose(b"mine", leader.now_ms)
    leader.says()
    leader.hears(2, append(5, (1, 1), 5, commit=2))
    assert place == Position(Index(2), Term(1))
    assert leader.applied[-1].term == 5
