"""Are only those asked at once whose answers the last quorum needed, and all others in time?"""

import pytest

from paxosworld import PaxosWorld
from pnyx.consensus.member.messages import ReadIndex
from pnyx.consensus.member.settings import MemberSettings
from pnyx.consensus.member.thrift import ASK_ALL_BEATS
from pnyx.consensus.multipaxos.messages import Accept
from pnyx.consensus.raft.messages import AppendEntries, AppendEntriesReply, HeartbeatReply
from pnyx.ids import Index, NodeId, Term
from raftalone import Alone, of_type
from raftworld import World

THRIFTY = MemberSettings(thrift_ms=10, hedge_ms=3)


def appended(said: list[tuple[NodeId, object]]) -> list[tuple[int, list[int]]]:
    """Return to whom entries went, and which."""
    messages = of_type(said, AppendEntries)
    return [(to, [entry.index for entry in message.entries]) for to, message in messages]


def accepts(leader: Alone, peer: int, index: int) -> list[tuple[NodeId, object]]:
    return leader.hears(peer, AppendEntriesReply(Term(1), Index(index)))


def led(size: int = 3) -> Alone:
    """Return a leader whose last quorum, of entry 2, was made with members 2 .. majority."""
    leader = Alone(size=size, settings=THRIFTY).leads()
    leader.proposes()
    for peer in range(2, size // 2 + 2):
        accepts(leader, peer, 2)
    assert leader.raft.commit_index == 2
    for peer in range(size // 2 + 2, size + 1):
        accepts(leader, peer, 2)
    return leader


def test_who_made_the_last_quorum_is_asked_at_once_and_the_others_later() -> None:
    leader = led()
    assert appended(leader.proposes()) == [(2, [3])]
    accepts(leader, 2, 3)
    assert leader.raft.commit_index == 3
    assert leader.raft.deadline_ms == leader.now_ms + 10
    leader.waits(4)
    assert appended(leader.proposes()) == [(2, [4])]
    accepts(leader, 2, 4)
    assert appended(leader.waits(5)) == []
    said = leader.waits(1)
    assert appended(said) == [(3, [3, 4])]
    assert of_type(said, AppendEntries)[0][1].commit_index == 4
    assert leader.raft.deadline_ms > leader.now_ms + 10


def test_without_thrift_all_are_asked_at_once() -> None:
    leader = Alone().leads()
    leader.proposes()
    accepts(leader, 2, 2)
    assert appended(leader.proposes()) == [(2, [3]), (3, [3])]


def test_if_the_next_quorum_is_late_the_others_are_asked() -> None:
    leader = led()
    assert appended(leader.proposes()) == [(2, [3])]
    assert leader.raft.deadline_ms == leader.now_ms + 3
    assert appended(leader.waits(2)) == []
    assert appended(leader.waits(1)) == [(3, [3])]
    accepts(leader, 3, 3)
    assert leader.raft.commit_index == 3
    # Now that one is needed, and the other is not.
    assert appended(leader.proposes()) == [(3, [4])]


def test_while_one_quorum_after_the_other_is_made_the_hedge_does_not_begin() -> None:
    leader = led()
    leader.proposes()
    for number in range(3, 6):
        leader.waits(2)
        leader.proposes()
        assert appended(accepts(leader, 2, number)) == []
    assert leader.raft.commit_index == 5
    assert leader.raft.last_index == 6
    assert appended(leader.waits(2)) == []
    assert appended(leader.waits(1)) == [(3, [3, 4, 5, 6])]


def test_a_needed_peer_that_cannot_be_reached_is_not_waited_for() -> None:
    leader = led()
    leader.raft.peer_unreachable(NodeId(2))
    assert (3, [3]) in appended(leader.proposes())


def test_of_five_two_are_asked_at_once() -> None:
    leader = led(5)
    assert appended(leader.proposes()) == [(2, [3]), (3, [3])]
    accepts(leader, 2, 3)
    accepts(leader, 3, 3)
    assert leader.raft.commit_index == 3
    assert appended(leader.waits(10)) == [(4, [3]), (5, [3])]


def test_the_leader_itself_is_not_needed_where_its_disk_is_the_slowest() -> None:
    leader = led()
    leader.disk_held = True
    leader.proposes()
    accepts(leader, 2, 3)
    leader.waits(3)
    accepts(leader, 3, 3)
    assert leader.raft.commit_index == 3
    assert appended(leader.proposes()) == [(2, [4]), (3, [4])]


def test_more_than_so_many_bytes_are_not_held_back() -> None:
    leader = led()
    half = b"x" * (THRIFTY.thrift_bytes // 2)
    assert appended(leader.proposes(half)) == [(2, [3])]
    assert appended(leader.proposes(half)) == [(2, [4]), (3, [3, 4])]
    assert appended(leader.proposes(half)) == [(2, [5])]


def test_a_peer_that_is_behind_is_not_kept_waiting() -> None:
    leader = led()
    for number in range(THRIFTY.thrift_count):
        assert appended(leader.proposes()) == [(2, [3 + number])]
    behind = [*range(3, 3 + THRIFTY.thrift_count + 1)]
    assert appended(leader.proposes()) == [(2, behind[-1:]), (3, behind)]


def test_where_somebody_reads_entries_arrive_at_once() -> None:
    leader = led()
    assert appended(leader.proposes()) == [(2, [3])]
    accepts(leader, 2, 3)
    said = leader.hears(3, ReadIndex(Term(1), 7, 1))
    assert appended(said) == [(3, [3])]
    assert appended(leader.proposes()) == [(2, [4]), (3, [4])]


def test_every_second_all_are_asked_so_that_a_quicker_peer_is_found() -> None:
    leader = led()
    asked_all = 0
    for index in range(3, 203):
        to = [peer for peer, _ in appended(leader.proposes())]
        asked_all += to == [2, 3]
        # The third one is the quicker one, once it is asked.
        for peer in sorted(to, reverse=True):
            accepts(leader, peer, index)
        leader.waits(10)
        for peer in (2, 3):
            accepts(leader, peer, index)
            leader.hears(peer, HeartbeatReply(Term(1), leader.raft.state.reads.round))
        if asked_all:
            break
    assert leader.now_ms <= 1_000 + ASK_ALL_BEATS * THRIFTY.heartbeat_ms + 30
    assert [peer for peer, _ in appended(leader.proposes())] == [3]


def test_who_was_the_first_for_once_is_not_needed_for_that() -> None:
    """It slept until it was sent that; who is asked all the time is awake."""
    leader = led()
    half = b"x" * (THRIFTY.thrift_bytes // 2)
    leader.proposes(half)
    assert appended(leader.proposes(half)) == [(2, [4]), (3, [3, 4])]
    leader.waits(THRIFTY.hedge_ms - 1)
    accepts(leader, 3, 4)
    assert leader.raft.commit_index == 4
    assert appended(leader.proposes()) == [(2, [5])]


def test_who_was_asked_in_vain_is_needed_no_more() -> None:
    leader = led(5)
    leader.disk_held = True
    leader.proposes()
    leader.waits(THRIFTY.hedge_ms)
    for peer in (2, 3, 4):
        accepts(leader, peer, 3)
    assert leader.raft.state.thrift.needed == {2, 3, 4}, "without the leader's own disk"
    leader.syncs()
    leader.disk_held = False
    assert appended(leader.proposes()) == [(2, [4]), (3, [4]), (4, [4])]
    accepts(leader, 4, 4)
    accepts(leader, 2, 4)
    assert appended(leader.proposes()) == [(2, [5]), (4, [5])]


@pytest.mark.parametrize("kind", [World, PaxosWorld])
def test_all_get_everything_with_either_engine(kind: type[World]) -> None:
    world = kind(3, settings=THRIFTY)
    world.elect(1)
    for number in range(40):
        world.write(1, b"%d" % number)
        world.run(2)
    world.run(20)
    assert world.logs_agree()
    assert {world[number].commit_index for number in (1, 2, 3)} == {world[1].last_index}
    appends = world.sent["AppendEntries"] + world.sent["Accept"]
    # The one that is needed gets one for each write, the other one for five or so.
    assert appends < 60


@pytest.mark.parametrize("kind", [World, PaxosWorld])
def test_a_lost_message_to_the_needed_one_costs_the_hedge_and_no_more(kind: type[World]) -> None:
    world = kind(3, settings=THRIFTY)
    world.elect(1)
    world.write(1, b"first")
    world.write(1, b"second")
    needed = min(world[1].state.thrift.needed)
    world.drops = lambda flight: (
        isinstance(flight.message, AppendEntries | Accept) and flight.to == needed
    )
    world.write(1, b"third")
    before = world[1].commit_index
    world.run(THRIFTY.hedge_ms + 1)
    assert world[1].commit_index == before + 1


def test_a_new_leader_has_no_quorum_to_remember() -> None:
    leader = led()
    leader.proposes()
    leader.hears(2, HeartbeatReply(Term(2), 1))
    thrift = leader.raft.state.thrift
    assert not thrift.needed
    assert not thrift.is_owed
