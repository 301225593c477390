"""Family F: state that travels instead of a log, and logs that lose their beginning."""

# A mutant reaches where no caller may.
# ruff: noqa: SLF001

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from pnyx.consensus.member import leading, stream
from pnyx.consensus.member.door import Door
from pnyx.consensus.member.log import Log
from pnyx.consensus.member.progress import Flow, Progress
from pnyx.consensus.member.stream import Written
from pnyx.consensus.membership import Membership
from pnyx.consensus.raft import follower, leader
from pnyx.consensus.raft.roles import adopt_term
from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.ready import Mark
from pnyx.ids import Index, NodeId, Term
from pnyx.lab.surroundings import GROUP
from pnyx.lab.zoo.mutant import Absent, Mutant, Patch, Patches, mutant
from pnyx.machine import group as machine
from pnyx.machine.rows import KIND_META, Meta, Totals, decode_meta, encode_row, group_prefix
from pnyx.machine.snapshots import SnapshotView
from pnyx.replica.messages import SnapshotChunk, SnapshotReply
from pnyx.replica.snapshots import SnapshotReceiver
from pnyx.replica.upkeep import Upkeep


@mutant(
    "F1-install-over-a-running-apply",
    story="A snapshot is installed although the log has gone past it while its rows arrived: what "
    "is applied goes back under an apply that is under way.",
    seen="openraft eed681d5",
    caught_by=("assertion", "indexes_in_order", "snapshot_equals_replay"),
)
def _install_over_a_running_apply() -> Patches:
    def _install(upkeep: Upkeep, now_ms: int) -> Index | None:
        mark = upkeep.receiver.mark
        sender, reply, membership = upkeep.receiver.finish()
        upkeep.consensus.snapshot_installed(mark, membership, now_ms)
        upkeep.confirmations.append((sender, reply))
        return mark.index

    was = SnapshotReceiver.take

    def take(
        receiver: SnapshotReceiver,
        sender: NodeId,
        chunk: SnapshotChunk,
        _commit: Index,
        now_ms: int,
    ) -> SnapshotReply | None:
        return was(receiver, sender, chunk, Index(0), now_ms)

    return [Patch(Upkeep, "_install", _install), Patch(SnapshotReceiver, "take", take)]


@mutant(
    "F2-snapshot-drops-a-longer-log",
    story="A leader sends its snapshot to whom it knows nothing of, and the snapshot of a prefix "
    "throws the whole log there away, with entries above it that agree and were acknowledged.",
    seen="camunda #6092; RedisLabs/raft #49",
    caught_by=(
        "snapshot_keeps_what_agrees",
        "match_is_durable",
        "committed_on_a_durable_majority",
        "committed_stays",
    ),
)
def _snapshot_drops_a_longer_log() -> Patches:
    def install_snapshot(raft: RaftState, mark: Mark, membership: Membership) -> None:
        if mark.term > raft.term:
            adopt_term(raft, mark.term)
        raft.writes.skip_to(mark, agrees=False)
        raft.log = Log(membership, mark)
        raft.acknowledged = None
        raft.commit_to(mark.index)
        raft.given_index = mark.index

    was = stream.send_entries

    def send_entries(
        raft: RaftState,
        peer: NodeId,
        progress: Progress,
        appends: dict[Index, Any],
        written: Written[RaftState],
    ) -> None:
        if progress.flow is Flow.PROBE and not (progress.match or progress.probe_round):
            progress.next = min(progress.next, raft.log.compacted.index)
        was(raft, peer, progress, appends, written)

    return [
        Patch(follower, "install_snapshot", install_snapshot),
        Patch(stream, "send_entries", send_entries),
    ]


@mutant(
    "F4-boundary-term-is-zero",
    story="The term of the entry at the boundary of a compacted log is read as 0, so no follower "
    "ever agrees there.",
    seen="openraft 76f1249",
    caught_by=("log_matching", "nodes_converge", "assertion", "requests_answered"),
)
def _boundary_term_is_zero() -> Patches:
    was = Log.term_at

    def term_at(log: Log, index: Index) -> Term | None:
        return Term(0) if index == log.compacted.index else was(log, index)

    return [Patch(Log, "term_at", term_at)]


@mutant(
    "F5-nothing-left-to-send",
    story="The log is compacted past what a follower has, and the leader neither has entries for "
    "it nor thinks of a snapshot: the follower never catches up.",
    seen="openraft #1828",
    caught_by=("nodes_converge", "core_serves"),
)
def _nothing_left_to_send() -> Patches:
    def stream_to(_upkeep: Upkeep, _peers: Sequence[NodeId], _now_ms: int) -> None:
        return

    return [Patch(Upkeep, "stream_to", stream_to)]


@mutant(
    "F7-stuck-after-a-snapshot-at-the-end",
    story="A snapshot that ends exactly where the log does, or that the follower did not need, "
    "leaves the follower in the state of waiting for one.",
    seen="etcd #10308; raft #110; testdata snapshot_succeed_via_app_resp_behind",
    caught_by=("nodes_converge", "core_serves", "requests_answered"),
)
def _stuck_after_a_snapshot_at_the_end() -> Patches:
    was = leader.snapshot_sent

    def snapshot_sent(raft: RaftState, peer: NodeId, mark: Mark | None) -> None:
        if mark is not None and mark.index < raft.log.last_index:
            was(raft, peer, mark)

    return [Patch(leader, "snapshot_sent", snapshot_sent)]


@mutant(
    "F8-half-an-install-stays",
    story="The rows of a snapshot are put into the live state as they arrive. A crash, or another "
    "leader, in the middle leaves a state that is half the one and half the other.",
    seen="etcd #10225; dgraph #2707",
    caught_by=("snapshot_equals_replay", "state_machine_safety"),
)
def _half_an_install_stays() -> Patches:
    was = machine.Group.install_rows

    def install_rows(group: machine.Group, rows: Sequence[tuple[bytes, bytes]]) -> None:
        was(group, rows)
        prefix = group_prefix(GROUP, group._generation)
        group.space.write({prefix + key: value for key, value in rows if key != KIND_META})

    return [Patch(machine.Group, "install_rows", install_rows)]


@mutant(
    "F9-snapshot-is-no-sign-of-life",
    story="A peer that is taking in a snapshot does not count as alive. The leader loses its "
    "quorum, steps down, and the stream begins anew.",
    seen="dragonboat",
    caught_by=("answers_are_signs_of_life",),
)
def _snapshot_is_no_sign_of_life() -> Patches:
    was = leading.heard_from

    def heard_from(raft: RaftState, sender: NodeId) -> Progress | None:
        progress = raft.peers.get(sender)
        if progress is None or progress.flow is not Flow.SNAPSHOT:
            return was(raft, sender)
        return progress

    def peer_alive(_door: Door[RaftState], _peer: NodeId, _now_ms: int) -> None:
        return

    return [Patch(leading, "heard_from", heard_from), Patch(Door, "peer_alive", peer_alive)]


@mutant(
    "F10-compaction-overtakes-replication",
    story="The log is compacted while a follower is being sent from there, and the leader reads "
    "entries that are gone.",
    seen="openraft t34",
    caught_by=("assertion",),
)
def _compaction_overtakes_replication() -> Patches:
    was = stream.send_entries

    def send_entries(
        raft: RaftState,
        peer: NodeId,
        progress: Progress,
        appends: dict[Index, Any],
        written: Written[RaftState],
    ) -> None:
        if progress.next > raft.log.compacted.index or progress.flow is Flow.SNAPSHOT:
            was(raft, peer, progress, appends, written)
        elif not progress.paused:
            raft.post(peer, stream.message_from(raft, progress.next, appends, written))

    return [Patch(stream, "send_entries", send_entries)]


@mutant(
    "F11-restart-forgets-the-snapshot",
    story="A restart does not load the snapshot that was installed: the log goes on after it, on "
    "an empty state.",
    seen="aioraft-ng",
    caught_by=("state_machine_safety", "snapshot_equals_replay"),
)
def _restart_forgets_the_snapshot() -> Patches:
    def decode(row: bytes) -> Meta:
        return msgspec.structs.replace(decode_meta(row), generation=1)

    return [Patch(machine, "decode_meta", decode)]


@mutant(
    "F12-chunks-of-two-transfers",
    story="A chunk is known by its number alone: a late one of an earlier stream is taken for the "
    "next of the present stream, and the state is pieced together from two.",
    seen="a rule: chunks need a session and an offset",
    caught_by=("snapshot_equals_replay", "state_machine_safety"),
    scenario="R-X4",
)
def _chunks_of_two_transfers() -> Patches:
    was = SnapshotReceiver.take

    def take(
        receiver: SnapshotReceiver, sender: NodeId, chunk: SnapshotChunk, commit: Index, now_ms: int
    ) -> SnapshotReply | None:
        if receiver.sender is None or not chunk.number:
            return was(receiver, sender, chunk, commit, now_ms)
        mine = msgspec.structs.replace(chunk, transfer=receiver.transfer)
        return was(receiver, receiver.sender, mine, commit, now_ms)

    return [Patch(SnapshotReceiver, "take", take)]


@mutant(
    "F13-snapshot-lacks-what-is-no-data",
    story="A snapshot carries the data and nothing else that the state consists of. Here it is the "
    "committed clock and the count of revisions; elsewhere sessions, and retries ran twice.",
    seen="systems that kept sessions beside the state machine",
    caught_by=("snapshot_equals_replay", "state_machine_safety"),
)
def _snapshot_lacks_what_is_no_data() -> Patches:
    was = SnapshotView.rows

    def rows(view: SnapshotView) -> Iterator[tuple[bytes, bytes]]:
        stream = was(view)
        next(stream)
        totals = view._totals
        yield KIND_META, encode_row(Totals(keys=totals.keys, expiring=totals.expiring))
        yield from stream

    return [Patch(SnapshotView, "rows", rows)]


@mutant(
    "F14-snapshot-of-a-moving-state",
    story="A snapshot is read from the state while entries are applied to it: its rows belong to "
    "different moments.",
    seen="a rule: a snapshot needs copy-on-write",
    caught_by=("snapshot_equals_replay", "state_machine_safety"),
)
def _snapshot_of_a_moving_state() -> Patches:
    was = machine.Group.view

    def view(group: machine.Group) -> SnapshotView:
        held = was(group)
        consistent, space = held._view, group.space

        class Moving:
            def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
                for key, value in consistent.scan(start, stop):
                    yield key, space.get(key) or value

            def close(self) -> None:
                consistent.close()

        held._view = Moving()  # type: ignore[assignment]
        return held

    return [Patch(machine.Group, "view", view)]


MUTANTS: Final[tuple[Mutant | Absent, ...]] = (
    _install_over_a_running_apply,
    _snapshot_drops_a_longer_log,
    _boundary_term_is_zero,
    _nothing_left_to_send,
    _stuck_after_a_snapshot_at_the_end,
    _half_an_install_stays,
    _snapshot_is_no_sign_of_life,
    _compaction_overtakes_replication,
    _restart_forgets_the_snapshot,
    _chunks_of_two_transfers,
    _snapshot_lacks_what_is_no_data,
    _snapshot_of_a_moving_state,
)
