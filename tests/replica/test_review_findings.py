"""Bugs that a review found in the replica and in what drives it: they do not come back."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from pnyx.consensus.member.settings import MemberSettings
from pnyx.consensus.ready import Mark
from pnyx.ids import Index, NodeId, Term
from pnyx.machine.commands import Expiry, Get, Set, Ttl
from pnyx.node.driver import Driver
from pnyx.node.vigil import Vigil
from pnyx.replica.effects import Effects, Now
from pnyx.replica.limits import ReplicaLimits
from pnyx.replica.messages import Forward, ForwardReply, SnapshotChunk
from pnyx.replica.requests import Done, NotDone, Reason
from pnyx.replica.roster import CONTROL, Roster
from pnyx.replica.snapshots import checksum
from pnyx.storage.wal import WalCounters
from replica.cluster import WALL_MS, Cluster

SMALL = ReplicaLimits(flush_log_bytes=500, compact_log_bytes=1_000, tail_log_bytes=100)


def test_a_read_at_a_node_whose_disk_hangs_is_answered_within_its_bound() -> None:
    cluster = Cluster(limits=ReplicaLimits(park_ms=1_500))
    cluster.elect(1)
    cluster.members[2].disk_held = True
    cluster.submit(1, "w", Set(b"k", b"v"))
    cluster.settle()
    cluster.advance(100)
    cluster.submit(2, "r", Get(b"k"))
    cluster.advance(10_000)
    assert cluster.answers(2) == {"r": NotDone(Reason.NO_QUORUM)}


def test_a_due_key_is_read_as_gone_while_the_disk_is_nearly_full() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.submit(1, "w", Set(b"k", b"v", Expiry(500, relative=True)))
    cluster.settle()
    for member in cluster.members.values():
        member.replica.tend_disk(low=True, behind=False, urgent=False)
    cluster.advance(1_000)
    cluster.submit(1, "r", Get(b"k"))
    cluster.advance(100)
    assert cluster.answers(1)["r"] == Done((None,))


def test_a_node_that_fills_its_own_disk_compacts_its_log() -> None:
    cluster = Cluster(limits=ReplicaLimits())
    leader = cluster.elect(1)
    for number in range(200):
        cluster.submit(1, number, Set(b"k", b"v" * 100))
        cluster.settle()
    for member in cluster.members.values():
        member.replica.tend_disk(low=True, behind=False, urgent=True)
    cluster.advance(10_000)
    assert leader.consensus.compacted.index > 100


def test_the_log_is_never_compacted_past_what_a_flush_made_durable() -> None:
    limits = ReplicaLimits(flush_log_bytes=500, compact_log_bytes=1_000, tail_log_bytes=0)
    cluster = Cluster(limits=limits)
    cluster.elect(1)
    late = cluster.members[3]
    asked: list[tuple[int, int]] = []
    carry_out = cluster._carry_out

    def slow_flush(node: int, member: Any, effects: Effects) -> None:
        if node == 3 and effects.flush is not None:
            # What the flush will surely cover: what is applied when it is started.
            asked.append((effects.flush, late.replica.group.applied.index))
            effects.flush = None
        carry_out(node, member, effects)

    cluster._carry_out = slow_flush  # type: ignore[method-assign]
    for number in range(40):
        cluster.submit(1, number, Set(b"key%d" % number, b"value" * 5))
        cluster.settle()
    first, covered = asked[0]
    # The last chunk of a snapshot asks for a flush while the ordinary one is under way.
    leader = cluster.members[1].replica
    mark = Mark(Index(leader.consensus.commit_index + 50), leader.consensus.term)
    rows: tuple[tuple[bytes, bytes], ...] = tuple(leader.group.view().rows())
    view = leader.group.view()
    chunk = SnapshotChunk(7, mark, view.membership, 0, rows, True, checksum(rows))
    late.replica.step(NodeId(1), chunk, cluster.now(3))
    late.replica.flushed(first, cluster.now(3))
    assert late.replica.consensus.compacted.index <= covered


def test_what_is_applied_during_a_flush_is_flushed_without_another_write() -> None:
    """Scenario V-7: ten megabytes stayed in an idle group's log for ever."""
    cluster = Cluster(limits=SMALL)
    replica = cluster.elect(1)
    asked: list[int] = []
    carry_out = cluster._carry_out

    def slow_flush(node: int, member: Any, effects: Effects) -> None:
        if node == 1 and effects.flush is not None:
            asked.append(effects.flush)
            effects.flush = None
        carry_out(node, member, effects)

    cluster._carry_out = slow_flush  # type: ignore[method-assign]
    for number in range(2):
        cluster.submit(1, number, Set(b"k", b"v" * 600))
        cluster.settle()
    assert len(asked) == 1
    replica.flushed(asked[0], cluster.now(1))
    cluster.settle()
    assert len(asked) == 2


def test_a_read_of_a_due_key_at_the_leader_needs_no_timer() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.submit(1, "w", Set(b"k", b"v", Expiry(5_000, relative=True)))
    cluster.settle()
    cluster.members[1].wall_skew_ms = 10_000
    cluster.submit(1, "r", Get(b"k"))
    cluster.settle()
    assert cluster.answers(1)["r"] == Done((b"v",))


def test_one_wrong_clock_does_not_change_the_time_left_that_a_leader_tells() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.submit(1, "w", Set(b"k", b"v", Expiry(100_000, relative=True)))
    cluster.settle()
    cluster.members[1].wall_skew_ms = 60_000
    cluster.submit(1, "r", Ttl(b"k", seconds=True, absolute=False))
    cluster.settle()
    assert cluster.answers(1)["r"] == Done((100,))


def test_the_flush_of_a_given_up_snapshot_does_not_abort_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster()
    cluster.elect(1)
    late, leader = cluster.members[3].replica, cluster.members[1].replica
    rows = tuple(leader.group.view().rows())
    members = leader.group.view().membership
    mark = Mark(Index(leader.consensus.commit_index + 50), leader.consensus.term)
    late.step(
        NodeId(1), SnapshotChunk(7, mark, members, 0, rows, True, checksum(rows)), cluster.now(3)
    )
    effects = late.effects(cluster.now(3))
    assert effects is not None
    assert effects.flush is not None
    # Another stream begins (a new leader's, say) while that flush runs.
    newer = Mark(Index(mark.index + 1), mark.term)
    late.step(
        NodeId(2), SnapshotChunk(8, newer, members, 0, rows, False, checksum(rows)), cluster.now(3)
    )
    late.flushed(effects.flush, cluster.now(3))
    assert late._upkeep.receiver.transfer == 8


def test_time_goes_on_under_a_new_leader_whose_clocks_were_set_back() -> None:
    cluster = Cluster()
    cluster.elect(1)
    for member in cluster.members.values():
        member.disk_held = True
    cluster.submit(1, "w", Set(b"k", b"v", Expiry(10_000, relative=True)))
    cluster.settle()
    # The write is durable on node 2 and not applied when node 2 is elected, as after a restart.
    cluster.isolate(1)
    for node in (2, 3):
        cluster.members[node].disk_held = False
        cluster.sync(node)
    for member in cluster.members.values():
        member.wall_skew_ms = -3_600_000
    assert cluster.await_leader(but=1) in (2, 3)
    leader = cluster.await_leader(but=1)
    cluster.advance(40_000)
    cluster.submit(leader, "r", Get(b"k"))
    cluster.advance(100)
    assert cluster.answers(leader)["r"] == Done((None,))


class Deaf:
    """Peers, log and batcher that only remember."""

    def __init__(self) -> None:
        self.sent: list[tuple[NodeId, Any]] = []
        self.counters = WalCounters()

    def send(self, to: NodeId, _lane: object, packets: Any) -> bool:
        self.sent += [(to, packet.message) for packet in packets]
        return True

    def add(self, _write: object) -> None: ...

    def start(self) -> None: ...

    def low_space(self) -> bool:
        return False

    def lagging(self, _segment_count: int) -> tuple[()]:
        return ()


def driver_of(cluster: Cluster, node: int, peers: Deaf, failed: Any) -> Driver:
    member = cluster.members[node]
    roster = Roster(me=NodeId(node), boot=node, limits=ReplicaLimits(), controllers=())
    roster.add(CONTROL, member.replica, Now(0, WALL_MS))
    disk: Any = SimpleNamespace(groups={}, space=member.space, wal=peers)
    vigil = Vigil(asyncio.get_running_loop(), 0)
    parts: dict[str, Any] = {"batcher": peers, "peers": peers, "vigil": vigil}
    parts |= {"start": pytest.fail, "failed": failed, "retired": pytest.fail}
    return Driver(roster=roster, disk=disk, **parts)


def arrives(driver: Driver, sender: int, message: Any) -> None:
    driver.roster.heard(NodeId(sender), WALL_MS)
    driver.roster.step(CONTROL, NodeId(sender), message, Now(0, WALL_MS))


def test_a_stopping_leader_tells_other_nodes_that_their_parked_forwards_were_not_done() -> None:
    async def scene() -> list[tuple[NodeId, Any]]:
        cluster = Cluster()
        peers = Deaf()
        # No leader is known here any more: a drain has just handed leadership over.
        driver = driver_of(cluster, 1, peers, pytest.fail)
        arrives(driver, 2, Forward(9, 1, (Set(b"k", b"v"),), True))
        driver.stop()
        return peers.sent

    sent = asyncio.run(scene())
    assert (NodeId(2), ForwardReply(9, 1, NotDone(Reason.STOPPING))) in sent


def test_a_failed_second_flush_of_an_install_stops_the_node(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene() -> list[BaseException]:
        cluster = Cluster()
        failures: list[BaseException] = []
        driver = driver_of(cluster, 3, Deaf(), failures.append)
        view = cluster.members[1].replica.group.view()
        rows = tuple(view.rows())
        chunk = SnapshotChunk(
            7,
            Mark(Index(50), Term(1)),
            view.membership,
            0,
            rows,
            True,
            checksum(rows),
        )
        arrives(driver, 1, chunk)
        flushes = 0

        def flush() -> None:
            nonlocal flushes
            flushes += 1
            if flushes == 2:
                raise OSError(5, "Input/output error")

        monkeypatch.setattr(cluster.members[3].space, "flush", flush)
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        driver.wake()
        for _ in range(20):
            await asyncio.sleep(0.01)
        assert flushes >= 2
        return failures

    assert asyncio.run(scene())


def test_everything_committed_is_applied_without_waiting_for_a_timer() -> None:
    cluster = Cluster(settings=MemberSettings(apply_entries_max=2))
    cluster.elect(1)
    cluster.members[3].disk_held = True
    for number in range(10):
        cluster.submit(1, number, Set(b"k%d" % number, b"v"))
        cluster.settle()
    late = cluster.members[3].replica
    cluster.members[3].disk_held = False
    cluster.sync(3)
    cluster.settle()
    assert late.group.applied.index == late.consensus.commit_index


def test_a_follower_that_catches_up_after_a_snapshot_is_not_compacted_past() -> None:
    settings = MemberSettings(inflight_max=2, append_entries_max=2)
    cluster = Cluster(limits=replace(SMALL, snapshot_chunk_bytes=200), settings=settings)
    leader = cluster.elect(1)
    cluster.isolate(3)
    for number in range(60):
        if number in {20, 40}:
            # Long enough for the leader to know that the third is gone, not catching up.
            cluster.advance(11_000)
        cluster.submit(1, number, Set(b"key%d" % number, b"value" * 5))
        cluster.settle()
    cluster.cut.clear()
    late = cluster.members[3]
    for _ in range(1_000):
        if late.replica.counters.snapshots_installed:
            break
        cluster.advance(10)
    late.disk_held = True
    for number in range(120):
        cluster.submit(1, f"more{number}", Set(b"more%d" % number, b"value" * 5))
        cluster.settle()
        if number % 8 == 0:
            cluster.sync(3)
            cluster.settle()
    late.disk_held = False
    cluster.sync(3)
    cluster.advance(3_000)
    assert late.replica.group.applied == leader.group.applied
    assert late.replica.counters.snapshots_installed == 1
