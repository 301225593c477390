"""Is every limit kept, and every refusal without effect?"""

import pytest

from pnyx.consensus.member.settings import MemberSettings
from pnyx.consensus.raft.messages import AppendEntriesReply, HeartbeatReply
from pnyx.consensus.ready import Position, Refused
from pnyx.errors import SettingsWrong
from pnyx.ids import Index, NodeId, Term
from raftalone import Alone, append


def test_an_entry_over_the_limit_is_refused_and_one_at_the_limit_is_not() -> None:
    leader = Alone(settings=MemberSettings(entry_bytes_max=10)).leads()
    assert leader.raft.propose(b"x" * 11, leader.now_ms) == Refused("too large")
    assert isinstance(leader.raft.propose(b"x" * 10, leader.now_ms), Position)


def test_uncommitted_bytes_are_limited_and_free_again_when_committed() -> None:
    settings = MemberSettings(uncommitted_bytes_max=25, entry_bytes_max=10)
    leader = Alone(settings=settings).leads()
    places = [leader.raft.propose(b"x" * 10, leader.now_ms) for _ in range(3)]
    assert places[2] == Refused("full")
    assert leader.raft.last_index == 3
    leader.says()
    leader.hears(2, AppendEntriesReply(Term(1), Index(2)))
    assert isinstance(leader.raft.propose(b"x" * 10, leader.now_ms), Position)


def test_a_new_leader_counts_the_uncommitted_bytes_it_inherits() -> None:
    settings = MemberSettings(uncommitted_bytes_max=5, entry_bytes_max=5)
    leader = Alone(1, 1, 1, settings=settings).leads(agreeing=False)
    assert leader.raft.propose(b"xxx", leader.now_ms) == Refused("full")
    leader.hears(2, AppendEntriesReply(Term(2), Index(4)))
    assert isinstance(leader.raft.propose(b"xxx", leader.now_ms), Position)


@pytest.mark.parametrize(("entries_max", "bytes_max"), [(2, 999), (999, 2)])
def test_entries_to_apply_come_in_pages(entries_max: int, bytes_max: int) -> None:
    settings = MemberSettings(apply_entries_max=entries_max, apply_bytes_max=bytes_max)
    follower = Alone(1, 1, 1, 1, 1, settings=settings)
    follower.raft.step(NodeId(2), append(1, (5, 1), commit=5), follower.now_ms)
    pages = []
    while (ready := follower.raft.ready()) is not None:
        pages.append([entry.index for entry in ready.committed])
    assert pages == [[1, 2], [3, 4], [5]]


def test_waiting_reads_are_limited() -> None:
    leader = Alone(settings=MemberSettings(reads_max=2)).leads()
    for ticket in range(3):
        leader.raft.read_barrier(ticket, leader.now_ms)
    leader.says()
    assert leader.reads == {2: None}
    leader.hears(2, HeartbeatReply(Term(1), 99))
    assert leader.reads == {2: None, 0: 1, 1: 1}


def test_a_follower_s_waiting_reads_are_limited_too() -> None:
    follower = Alone(settings=MemberSettings(reads_max=2))
    follower.hears(2, append(1, (0, 0)))
    for ticket in range(3):
        follower.raft.read_barrier(ticket, follower.now_ms)
    follower.says()
    assert follower.reads == {2: None}


def test_time_that_goes_back_is_our_own_bug() -> None:
    follower = Alone()
    follower.raft.tick(1500)
    with pytest.raises(AssertionError, match="never goes back"):
        follower.raft.tick(1499)


def test_compacting_what_was_not_applied_is_our_own_bug() -> None:
    follower = Alone(1, 1, applied=1)
    with pytest.raises(AssertionError, match="only what was applied"):
        follower.raft.compact(Index(2))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"heartbeat_ms": 0}, "heartbeat_ms = 0"),
        ({"reads_max": -1}, "reads_max = -1"),
        ({"heartbeat_ms": 200}, "less than two heartbeats"),
        ({"election_ms_max": 300}, "all nodes would stand at once"),
        ({"entry_bytes_max": 100 * 1024 * 1024}, "could never be proposed"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_a_reason(
    settings: dict[str, int], said: str
) -> None:
    with pytest.raises(SettingsWrong) as refused:
        MemberSettings(**settings)
    assert said in refused.value.explain()
    assert refused.value.next_step
