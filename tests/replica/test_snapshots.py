"""Does a follower whose entries are gone end with the same state, whatever breaks on the way?"""

import pytest

from pnyx.consensus.member.settings import MemberSettings
from pnyx.consensus.ready import Mark
from pnyx.ids import Index, NodeId, Term
from pnyx.machine.commands import DbSize, Get, Set
from pnyx.machine.snapshots import SnapshotView
from pnyx.replica.limits import ReplicaLimits
from pnyx.replica.messages import SnapshotChunk, SnapshotReply
from pnyx.replica.requests import Done, Unknown
from pnyx.replica.snapshots import SILENCE_MS, SnapshotReceiver, SnapshotSender, checksum
from replica.cluster import Cluster

SMALL = ReplicaLimits(
    flush_log_bytes=500, compact_log_bytes=1_000, tail_log_bytes=100, snapshot_chunk_bytes=200
)


def behind() -> Cluster:
    """Return a cluster whose third replica misses entries that the others have compacted."""
    cluster = Cluster(limits=SMALL)
    cluster.elect(1)
    cluster.isolate(3)
    for number in range(60):
        if number in {20, 40}:
            # Long enough for the leader to know that the third is gone, not catching up.
            cluster.advance(11_000)
        cluster.submit(1, number, Set(b"key%d" % number, b"value" * 5))
        cluster.settle()
    assert cluster.members[1].replica.consensus.compacted.index > 1
    return cluster


def test_a_follower_that_is_too_far_behind_is_sent_a_snapshot() -> None:
    cluster = behind()
    cluster.cut.clear()
    cluster.advance(1_000)
    late = cluster.members[3].replica
    assert late.counters.snapshots_installed == 1
    cluster.submit(3, "n", DbSize())
    cluster.submit(3, "v", Get(b"key7"))
    cluster.settle()
    assert cluster.answers(3) == {"n": Done((60,)), "v": Done((b"value" * 5,))}


def test_a_peer_from_which_entries_are_held_back_is_sent_no_snapshot_for_room_in_the_log() -> None:
    cluster = Cluster(settings=MemberSettings(thrift_ms=10, hedge_ms=3))
    leader = cluster.elect(1)
    for number in range(40):
        cluster.submit(1, number, Set(b"k", b"v"))
        cluster.settle()
    match = sorted(leader.consensus.match_indexes().values())
    assert match[0] < match[1], "one of them was not asked yet"
    leader.tend_disk(low=False, behind=False, urgent=True)
    cluster.settle()
    assert leader.consensus.compacted.index >= match[0] > 1
    cluster.advance(100)
    assert leader.counters.snapshots_sent == 0
    assert leader.consensus.compacted.index == leader.consensus.last_index, "the room comes back"
    applied = {one.replica.group.applied for one in cluster.members.values()}
    assert applied == {leader.group.applied}


def test_a_group_that_only_elected_somebody_gives_the_room_of_that_back() -> None:
    """It would keep the segment with that entry, and all behind it, though others write there."""
    cluster = Cluster()
    cluster.elect(1)
    cluster.advance(100)
    for member in cluster.members.values():
        member.replica.tend_disk(low=False, behind=False, urgent=True)
    cluster.advance(100)
    for member in cluster.members.values():
        consensus = member.replica.consensus
        assert consensus.compacted.index == consensus.last_index == 1


def test_a_group_that_is_to_give_room_back_flushes_once_each_time_somebody_looks() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    marks = []
    for number in range(30):
        if number % 10 == 0:
            leader.tend_disk(low=False, behind=False, urgent=True)
        cluster.submit(1, number, Set(b"k", b"v"))
        cluster.settle()
        marks.append(leader.consensus.compacted.index)
    assert len(set(marks)) == 3, "after the first write of each ten, and no other"


def test_a_node_that_is_short_of_space_takes_no_snapshot_until_it_is_not() -> None:
    cluster = behind()
    late = cluster.members[3].replica
    late.tend_disk(low=True, behind=False, urgent=False)
    cluster.cut.clear()
    cluster.advance(5_000)
    assert late.counters.snapshots_installed == 0
    late.tend_disk(low=False, behind=False, urgent=False)
    cluster.advance(20_000)
    assert late.counters.snapshots_installed == 1


def test_installed_state_is_byte_for_byte_the_leaders() -> None:
    cluster = behind()
    cluster.cut.clear()
    cluster.advance(1_000)
    rows = [
        list(member.replica.group.view().rows())
        for member in (cluster.members[1], cluster.members[3])
    ]
    assert rows[0] == rows[1]


def test_a_lost_chunk_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = behind()
    cluster.cut = {(1, 3)}
    cluster.advance(50)
    cluster.cut.clear()
    lost: list[SnapshotChunk] = []
    step = cluster.members[3].replica.step

    def lossy(sender: object, message: object, now: object) -> None:
        if isinstance(message, SnapshotChunk) and message.number == 3 and not lost:
            lost.append(message)
            return
        step(sender, message, now)  # type: ignore[arg-type]

    monkeypatch.setattr(cluster.members[3].replica, "step", lossy)
    cluster.advance(3_000)
    assert lost
    assert cluster.members[3].replica.counters.snapshots_installed == 1


def test_a_chunk_is_sent_again_soon_and_then_ever_more_seldom_until_its_answer_comes() -> None:
    group = behind().members[1].replica.group
    sender, peer = SnapshotSender(group, chunk_bytes=200), NodeId(3)

    def resent(began_ms: int) -> list[int]:
        times = []
        for now_ms in range(began_ms, began_ms + 4_000, 10):
            again, failed = sender.overdue(now_ms)
            assert not failed
            times += [now_ms - began_ms for _ in again]
        return times

    chunk = sender.start(peer, 1, 0)
    assert resent(0) == [100, 300, 700, 1_500, 2_500, 3_500]
    following, _, _ = sender.replied(peer, SnapshotReply(chunk.transfer, chunk.mark, 1), 5_000)
    assert following is not None
    assert following.number == 1
    assert resent(5_000) == [100, 300, 700, 1_500, 2_500, 3_500]
    assert sender.deadline_ms == 5_000 + 4_500


def test_a_stream_of_a_leader_that_is_gone_leaves_nothing_behind() -> None:
    cluster = behind()
    cluster.cut = {(3, 1)}
    cluster.advance(100)
    cluster.isolate(1)
    cluster.cut -= {(2, 3), (3, 2)}
    cluster.advance(2_500)
    cluster.cut.clear()
    cluster.advance(2_500)
    late = cluster.members[3].replica
    leader = next(m.replica for m in cluster.members.values() if m.replica.leads)
    assert late.group.applied == leader.group.applied
    assert list(late.group.view().rows()) == list(leader.group.view().rows())


def test_a_stream_ends_another_one_only_with_a_newer_state_or_if_that_has_fallen_silent() -> None:
    """Of two who stream to one candidate each would else end the other's, for ever."""
    cluster = Cluster()
    cluster.elect(1)
    group = cluster.members[3].replica.group
    receiver, view = SnapshotReceiver(group), group.view()
    mark = Mark(Index(50), Term(1))

    def taken(sender: int, mark: Mark, now_ms: int, number: int = 0) -> bool:
        chunk = SnapshotChunk(sender, mark, view.membership, number, (), False, checksum(()))
        reply = receiver.take(NodeId(sender), chunk, Index(0), now_ms)
        assert reply is not None
        return not reply.refused

    assert taken(1, mark, 10_000)
    assert not taken(2, mark, 10_000)
    assert taken(1, mark, 10_000 + SILENCE_MS - 1, number=1)
    assert not taken(2, mark, 10_000 + SILENCE_MS)
    assert taken(2, mark, 10_000 + 2 * SILENCE_MS)
    assert not taken(1, mark, 10_000 + 2 * SILENCE_MS, number=2)
    assert taken(1, Mark(Index(51), Term(1)), 10_000 + 2 * SILENCE_MS)


def test_what_the_log_holds_already_is_refused() -> None:
    cluster = Cluster()
    cluster.elect(1)
    group = cluster.members[3].replica.group
    receiver, members, mark = SnapshotReceiver(group), group.view().membership, Mark(Index(50))
    chunk = SnapshotChunk(7, mark, members, 0, (), False, checksum(()))
    refused = SnapshotReply(7, mark, 0, refused=True)
    assert receiver.take(NodeId(1), chunk, Index(50), 10_000) == refused
    assert receiver.take(NodeId(1), chunk, Index(49), 10_000) == SnapshotReply(7, mark, 1)


def test_two_lives_of_a_sender_share_no_transfer() -> None:
    """Or the second would go on where the first was, with rows of another state."""
    cluster = Cluster()
    group = cluster.elect(1).group
    transfers = {SnapshotSender(group, 1).start(NodeId(3), boot, 0).transfer for boot in (1, 2)}
    assert len(transfers) == 2


def test_a_stream_that_ends_holds_no_view_of_the_space() -> None:
    """A view pins every row that was there when it was made, on disk too."""
    group = Cluster().elect(1).group
    closed: list[SnapshotView] = []

    def closes(view: SnapshotView) -> None:
        closed.append(view)

    sender = SnapshotSender(group, 1)
    sender.start(NodeId(3), 1, 0)
    with pytest.MonkeyPatch.context() as watched:
        watched.setattr(SnapshotView, "close", closes)
        sender.start(NodeId(3), 1, 0)
        sender.stop_all()
    assert len(closed) == 2


def test_a_damaged_chunk_is_asked_for_again() -> None:
    cluster = Cluster()
    cluster.elect(1)
    group = cluster.members[3].replica.group
    receiver, members, mark = SnapshotReceiver(group), group.view().membership, Mark(Index(50))
    whole, damaged = ((b"key", b"value"),), ((b"key", b"walue"),)
    for rows, wanted in ((damaged, 0), (whole, 1)):
        chunk = SnapshotChunk(7, mark, members, 0, rows, False, checksum(whole))
        reply = receiver.take(NodeId(1), chunk, Index(0), 10_000)
        assert reply == SnapshotReply(7, mark, wanted)


def test_compaction_waits_for_a_stream_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = behind()
    leader = cluster.members[1].replica
    step = leader.step

    def deaf(sender: object, message: object, now: object) -> None:
        if not isinstance(message, SnapshotReply):
            step(sender, message, now)  # type: ignore[arg-type]

    monkeypatch.setattr(leader, "step", deaf)
    cluster.cut.clear()
    cluster.advance(200)
    before = leader.consensus.compacted
    for number in range(40):
        cluster.submit(1, f"more{number}", Set(b"more%d" % number, b"value" * 5))
        cluster.settle()
    assert leader.consensus.compacted == before
    assert leader.consensus.log_bytes > SMALL.compact_log_bytes


def test_a_snapshot_that_the_log_overtakes_during_its_flush_is_dropped() -> None:
    cluster = Cluster()
    leader, late = cluster.elect(1), cluster.members[3].replica
    rows, members = tuple(leader.group.view().rows()), leader.group.view().membership
    mark = Mark(Index(leader.consensus.commit_index + 2), leader.consensus.term)
    chunk = SnapshotChunk(7, mark, members, 0, rows, True, checksum(rows))
    late.step(NodeId(1), chunk, cluster.now(3))
    effects = late.effects(cluster.now(3))
    assert effects is not None
    assert effects.flush is not None
    for number in range(3):
        cluster.submit(1, number, Set(b"key", b"%d" % number))
        cluster.settle()
    late.flushed(effects.flush, cluster.now(3))
    assert late.counters.snapshots_installed == 0
    assert late.group.applied.index > mark.index


def test_what_a_snapshot_jumps_over_is_unknown_at_once() -> None:
    cluster = Cluster()
    deposed = cluster.elect(1)
    rows, members = tuple(deposed.group.view().rows()), deposed.group.view().membership
    cluster.isolate(1)
    cluster.submit(1, "w", Set(b"key", b"value"))
    cluster.settle()
    mark = Mark(deposed.consensus.last_index, Term(deposed.consensus.term + 1))
    chunk = SnapshotChunk(7, mark, members, 0, rows, True, checksum(rows))
    deposed.step(NodeId(2), chunk, cluster.now(1))
    cluster.settle()
    assert deposed.counters.snapshots_installed == 1
    assert cluster.answers(1) == {"w": Unknown()}
