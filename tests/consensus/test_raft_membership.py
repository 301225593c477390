"""Do members change without a lost entry, or a change that is never finished?

The letters are those of the list of known mistakes: each named test is one that somebody made.
Leaders that are removed, learners and transfers are in test_raft_removal.py.
"""

import msgspec
import pytest

from consensus.changing import (
    THREE,
    brings,
    change,
    hears_entries,
    members,
    memberships,
    nodes,
    world_of,
)
from pnyx.consensus.member.messages import TimeoutNow
from pnyx.consensus.membership import Membership
from pnyx.consensus.raft.messages import AppendEntries, AppendEntriesReply, PreVote
from pnyx.consensus.ready import Mark, Position, Refused
from pnyx.ids import Index, NodeId, Term
from raftalone import Alone, append, of_type
from raftworld import World

# The way of a change.


def test_a_learner_is_added_by_one_entry_and_receives_everything() -> None:
    world = world_of(4)
    world.write(1, b"before")
    place = change(world, members(1, 2, 3, learners=(4,)))
    assert isinstance(place, Position)
    world.settle()
    assert memberships(world, 4) == [members(1, 2, 3, learners=(4,))]
    assert world[4].commit_index == world[1].commit_index


def test_a_change_of_voters_is_joint_first_and_ends_by_itself() -> None:
    world = world_of(4, members(1, 2, 3, learners=(4,)))
    place = change(world, members(1, 2, 4))
    assert world[1].membership == Membership(nodes(1, 2, 4), outgoing=nodes(1, 2, 3))
    world.settle()
    joint = Membership(nodes(1, 2, 4), outgoing=nodes(1, 2, 3))
    assert memberships(world, 2) == [joint, members(1, 2, 4)]
    assert isinstance(place, Position)
    assert world[1].commit_index == place.index + 1


def test_a_joint_membership_is_in_force_before_it_is_committed() -> None:
    world = world_of(5, members(1, 2, 3, learners=(4, 5)))
    for number in (4, 5):
        world.isolate(number)
    change(world, members(1, 4, 5))
    world.settle()
    before = world[1].commit_index
    world.write(1, b"held back")
    assert world[1].commit_index == before, "2 and 3 alone are no majority of the new voters"
    world.heal()
    world.run(1000)
    assert world[1].membership == members(1, 4, 5)


def test_the_old_voters_decide_as_long_as_the_membership_is_joint() -> None:
    world = world_of(5, members(1, 2, 3, learners=(4, 5)))
    for number in (2, 3):
        world.isolate(number)
    change(world, members(1, 4, 5))
    world.settle()
    assert world[1].membership.outgoing == nodes(1, 2, 3)
    assert world[1].commit_index < world[1].last_index


def test_a_removed_node_is_told_that_its_removal_is_committed_and_then_forgotten() -> None:
    world = world_of(3)
    change(world, members(1, 2))
    world.settle()
    world.run(100)
    assert memberships(world, 3)[-1] == members(1, 2)
    assert world[3].commit_index == world[1].commit_index
    world.run(2000)
    assert list(world[1].match_indexes()) == [2]


def test_a_removed_node_is_not_counted_while_it_is_told() -> None:
    world = world_of(3)
    change(world, members(1, 2))
    world.settle()
    world.isolate(2)
    before = world[1].commit_index
    world.propose(1)
    world.settle()
    assert 3 in world[1].match_indexes()
    assert world[1].commit_index == before


def test_names_travel_with_the_membership() -> None:
    world = world_of(4)
    named = msgspec.structs.replace(
        members(1, 2, 3, learners=(4,)), names=(("n1", NodeId(1)),), retired=nodes(9)
    )
    change(world, named)
    world.settle()
    assert world[4].membership == named


def test_a_membership_of_before_there_were_names_is_still_read() -> None:
    old = msgspec.msgpack.encode([[1, 2], [], [3]])
    assert msgspec.msgpack.decode(old, type=Membership) == members(1, 2, learners=(3,))


# What is refused.


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (members(), "no voters"),
        (members(1, 2, 3, learners=(3,)), "voter and learner at once"),
        (members(1, 2, 3, 4), "unknown node"),
        (THREE, "nothing to change"),
    ],
)
def test_a_target_that_makes_no_sense_is_refused(target: Membership, reason: str) -> None:
    world = world_of(4)
    assert change(world, target) == Refused(reason)
    assert memberships(world, 1) == []


def test_who_does_not_lead_refuses() -> None:
    world = world_of(3)
    assert change(world, members(1, 2), leader=2) == Refused("not leader")


def test_e1_nothing_is_changed_before_an_entry_of_this_term_is_committed() -> None:
    world = World(3)
    world.drops = lambda flight: isinstance(flight.message, AppendEntries)
    world.elect(1)
    assert change(world, members(1, 2)) == Refused("nothing committed in this term")
    world.drops = lambda _flight: False
    world.run(500)
    assert isinstance(change(world, members(1, 2)), Position)


def test_e10_a_second_change_is_refused_while_one_is_under_way() -> None:
    world = world_of(4)
    change(world, members(1, 2, 3, learners=(4,)))
    assert change(world, members(1, 2)) == Refused("change under way"), "not committed yet"
    world.settle()
    change(world, members(1, 2, 4))
    world.take(1)
    assert change(world, members(1, 2)) == Refused("change under way"), "still joint"
    world.settle()
    assert isinstance(change(world, members(1, 2)), Position)


def test_nothing_is_changed_during_a_transfer() -> None:
    leader = Alone().leads()
    leader.raft.transfer_leadership(NodeId(2), leader.now_ms)
    refused = leader.raft.change_membership(members(1, 2), leader.now_ms)
    assert refused == Refused("transferring")


def test_a_stalled_leader_changes_nothing() -> None:
    leader = Alone().leads()
    leader.disk_held = True
    leader.proposes()
    leader.now_ms += 601
    assert leader.raft.change_membership(members(1, 2), leader.now_ms) == Refused("stalled")


# E2: what is truncated never was.


def test_e2_a_truncated_change_is_rolled_back() -> None:
    world = world_of(4)
    world.isolate(1)
    change(world, members(1, 2, 3, learners=(4,)))
    world.take(1)
    world.elect(2)
    world.write(2, b"instead")
    world.heal()
    world.run(1000)
    assert world[1].membership == THREE
    assert memberships(world, 1) == []


def test_e2_two_memberships_are_rolled_back_by_one_cut() -> None:
    follower = Alone()
    joint = Membership(nodes(1, 2), outgoing=nodes(1, 2, 3))
    hears_entries(follower, 1, brings(1, 1, joint), brings(2, 1, members(1, 2)))
    assert follower.raft.membership == members(1, 2)
    follower.hears(3, append(2, (0, 0), 2))
    assert follower.raft.membership == THREE


def test_e2_a_promotion_that_is_truncated_ends_the_right_to_stand() -> None:
    learner = Alone(membership=members(2, 3, learners=(1,)))
    joint = Membership(nodes(1, 2, 3), outgoing=nodes(2, 3))
    hears_entries(learner, 1, brings(1, 1, joint))
    assert of_type(learner.waits_for_its_deadline(), PreVote) != []
    learner.hears(3, append(2, (0, 0), 2))
    assert learner.waits_for_its_deadline() == []


# E3: snapshots.


def test_e3_a_snapshot_brings_the_membership_that_was_committed_at_its_mark() -> None:
    world = world_of(4)
    change(world, members(1, 2, 3, learners=(4,)))
    world.take(1)
    # The change is in the leader's log, the snapshot's mark is before it.
    world.stream(NodeId(1), NodeId(4))
    assert world[4].membership == THREE


def test_e3_a_joint_membership_in_a_snapshot_is_left_by_the_next_leader() -> None:
    joint = Membership(nodes(1, 2, 4), outgoing=nodes(1, 2, 3))
    leader = Alone(compacted=Mark(Index(9), Term(3)), membership=joint)
    leader.hears(2, append(3, (9, 3)))
    leader.now_ms += 700
    leader.leads()
    leader.says()
    assert leader.raft.membership == members(1, 2, 4)


def test_e3_a_learner_is_brought_up_by_a_snapshot_and_then_promoted() -> None:
    world = world_of(4)
    world.write(1, *(b"%d" % number for number in range(20)))
    world.compact(1, 15)
    change(world, members(1, 2, 3, learners=(4,)))
    world.run(500)
    assert world[4].compacted.index > 0
    change(world, members(2, 3, 4))
    world.run(1000)
    assert world[4].membership == members(2, 3, 4)
    world.crash(4)
    world.restart(4)
    world.run(2000)
    assert world[4].membership == members(2, 3, 4)


# E4: a joint membership is left once, by whoever leads.


def test_e4_the_next_leader_ends_a_change_whose_joint_entry_was_committed() -> None:
    world = world_of(4, members(1, 2, 3, learners=(4,)))
    world.drops = lambda flight: any(
        entry == brings(entry.index, entry.term, members(2, 3, 4))
        for entry in getattr(flight.message, "entries", ())
    )
    change(world, members(2, 3, 4))
    world.settle()
    assert world[2].membership.outgoing == nodes(1, 2, 3)
    world.crash(1)
    world.drops = lambda _flight: False
    world.run_until(lambda: world.leader() is not None and world.leader() != 1)
    world.run(1000)
    assert {world[number].membership for number in (2, 3, 4)} == {members(2, 3, 4)}
    assert len(memberships(world, 2)) == 2, "not twice"


def test_e4_the_next_leader_ends_a_change_whose_joint_entry_was_not_committed() -> None:
    world = world_of(4, members(1, 2, 3, learners=(4,)))
    world.cut(1, 3)
    world.cut(1, 4)
    change(world, members(2, 3, 4))
    world.take(1)
    world.sync(1)
    world.deliver(next(one for one in world.flights if one.to == 2))
    world.flights.clear()
    world.take(2)
    world.sync(2)
    assert world[2].membership.outgoing == nodes(1, 2, 3)
    world.crash(1)
    world.run(5000)
    assert {world[number].membership for number in (2, 3, 4)} == {members(2, 3, 4)}
    assert len(memberships(world, 3)) == 2


def test_e4_a_leader_that_finds_the_last_entry_does_not_append_another() -> None:
    world = world_of(3)
    change(world, members(1, 2))
    world.settle()
    world[1].transfer_leadership(NodeId(2), world.now_ms)
    world.run(500)
    assert (world.leader(), len(memberships(world, 2))) == (2, 2)


def test_e4_a_joint_membership_is_not_left_before_it_is_committed() -> None:
    leader = Alone(size=5).leads()
    leader.raft.change_membership(members(1, 2, 3), leader.now_ms)
    leader.says()
    leader.hears(2, AppendEntriesReply(Term(1), Index(2)))
    leader.waits(50)
    assert leader.raft.membership.outgoing != ()
    leader.hears(3, AppendEntriesReply(Term(1), Index(2)))
    assert leader.raft.membership == members(1, 2, 3)


def test_e4_a_transfer_leaves_the_end_of_a_change_to_the_next_leader() -> None:
    world = world_of(4, members(1, 2, 3, learners=(4,)))
    change(world, members(1, 2, 4))
    assert world[1].transfer_leadership(NodeId(2), world.now_ms)
    world.settle()
    assert world.leader() == 2
    assert world[2].membership == members(1, 2, 4)
    assert len(memberships(world, 2)) == 2


def test_e4_nothing_is_appended_during_a_transfer_not_even_the_end_of_a_change() -> None:
    leader = Alone().leads()
    leader.raft.change_membership(members(1, 2), leader.now_ms)
    leader.raft.transfer_leadership(NodeId(2), leader.now_ms)
    leader.says()
    said = leader.hears(2, AppendEntriesReply(Term(1), Index(2)))
    assert of_type(said, TimeoutNow) == [(2, TimeoutNow(Term(1)))]
    leader.waits(50)
    assert (leader.raft.commit_index, leader.raft.last_index) == (2, 2)


def test_e4_a_transfer_that_fails_leaves_no_change_half_done() -> None:
    world = world_of(3)
    world.drops = lambda flight: isinstance(flight.message, TimeoutNow)
    change(world, members(1, 2))
    world[1].transfer_leadership(NodeId(2), world.now_ms)
    world.run(1500)
    assert (world.leader(), world[1].membership) == (1, members(1, 2))
