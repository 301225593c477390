"""Family A: what must be on disk before anything is said, and what a restart must bring back."""

# A mutant reaches where no caller may.
# ruff: noqa: SLF001

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import msgspec

from pnyx.consensus.member.log import Log
from pnyx.consensus.member.state import MemberState
from pnyx.consensus.member.writes import Writes
from pnyx.consensus.raft import follower, leader, raft as door
from pnyx.consensus.raft.messages import (
    AppendEntries,
    AppendEntriesReply,
    PreVoteReply,
    RaftMessage,
    RequestVote,
    RequestVoteReply,
)
from pnyx.consensus.raft.roles import Event, change_role
from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.ready import HardState, RecoveredLog, Write
from pnyx.ids import GroupId, Index, NodeId, Term
from pnyx.lab import boarding, disk
from pnyx.lab.surroundings import GROUP
from pnyx.lab.zoo.mutant import Absent, Mutant, Patch, Patches, mutant
from pnyx.machine.group import Group
from pnyx.machine.rows import KIND_META, group_prefix
from pnyx.replica.upkeep import Upkeep
from pnyx.storage import recovery, replay, wal
from pnyx.storage.agreement import agreed as as_agreed
from pnyx.storage.files import write_whole
from pnyx.storage.memory import MemorySpace
from pnyx.storage.recovery import Recovered
from pnyx.storage.simulated import MemoryFile, MemoryFiles
from pnyx.storage.wal import Wal


def _unwaited(*kinds: type) -> Patches:
    """Let messages of `kinds` leave without waiting for what they promise."""
    was = MemberState.promise

    def promise(raft: RaftState, write_id: int, to: NodeId, message: RaftMessage) -> None:
        if isinstance(message, kinds):
            raft.post(to, message)
        else:
            was(raft, write_id, to, message)

    return [Patch(MemberState, "promise", promise)]


@mutant(
    "A1-vote-not-durable",
    story="A vote leaves before it is on disk. After a crash the voter knows nothing of it and "
    "votes again in the same term: two leaders, and committed entries are overwritten.",
    seen="jraft #1245; PySyncObj #202; camunda #5356; nebula #3415, #2405",
    caught_by=("durable_before_sent", "one_vote_a_term", "election_safety"),
)
def _vote_not_durable() -> Patches:
    return _unwaited(RequestVote, RequestVoteReply, PreVoteReply)


@mutant(
    "A2-term-and-vote-apart",
    story="Term and vote are two writes. A crash between them leaves the term without its vote, "
    "and the node votes a second time.",
    seen="jraft #1241",
    caught_by=("durable_before_sent", "one_vote_a_term", "term_and_vote_kept"),
)
def _term_and_vote_apart() -> Patches:
    was = Writes.take
    split: dict[int, tuple[Writes, Term]] = {}

    def take(
        writes: Writes, log: Log, term: Term, voted_for: NodeId | None, now_ms: int
    ) -> Write | None:
        write = was(writes, log, term, voted_for, now_ms)
        if write is None or write.hard_state is None or voted_for is None:
            return write
        if split.get(id(writes), (writes, Term(0)))[1] == term:
            return write
        split[id(writes)] = (writes, term)
        writes.hard_state_changed = True
        return msgspec.structs.replace(write, hard_state=HardState(term))

    return [Patch(Writes, "take", take)]


@mutant(
    "A3-failed-sync-ignored",
    story="A sync fails, the node logs it and goes on. The kernel has dropped the pages: what was "
    "acknowledged is not there after a restart.",
    seen="jraft #1243; dragonboat PR #409",
    caught_by=("recovery_is_exact", "term_and_vote_kept", "leader_elected", "nodes_converge"),
)
def _failed_sync_ignored() -> Patches:
    was_synced = MemoryFile.sync

    def written(*arguments: Any) -> None:
        with suppress(OSError):
            write_whole(*arguments)

    def sync(file: MemoryFile) -> None:
        with suppress(OSError):
            was_synced(file)

    return [
        Patch(wal, "write_whole", written),
        Patch(disk, "write_whole", written),
        Patch(MemoryFile, "sync", sync),
    ]


def _reading_back(change: Any) -> Patches:
    """Let a restart see `change` of what its log holds."""

    def agreed(recovered: Recovered, state: Group, log: Wal, group: GroupId) -> RecoveredLog:
        return change(as_agreed(recovered, state, log, group), state)  # type: ignore[no-any-return]

    return [Patch(boarding, "agreed", agreed)]


@mutant(
    "A4-metadata-read-as-nothing",
    story="A restart that cannot read term and vote starts at term 0 instead of refusing, so the "
    "node has forgotten whom it voted for.",
    seen="jraft's meta storage; PySyncObj's getMeta",
    caught_by=("term_and_vote_kept", "recovery_is_exact", "one_vote_a_term"),
)
def _metadata_read_as_nothing() -> Patches:
    return _reading_back(lambda log, _: replace(log, hard_state=HardState()))


@mutant(
    "A5-vote-erased-in-its-term",
    story="Stepping down within a term erases the vote that was given in it: the node votes again.",
    seen="Redpanda #19",
    caught_by=("term_and_vote_kept", "one_vote_a_term", "election_safety"),
)
def _vote_erased_in_its_term() -> Patches:
    def stepping(raft: RaftState, event: Event) -> None:
        change_role(raft, event)
        if event in {Event.LEADER_HEARD, Event.QUORUM_LOST, Event.DISK_STALLED}:
            raft.voted_for = None
            raft.writes.hard_state_changed = True

    return [Patch(follower, "change_role", stepping), Patch(leader, "change_role", stepping)]


@mutant(
    "A7-acknowledged-before-sync",
    story="A follower acknowledges entries that are not on its disk. The leader counts it, "
    "commits, and a power cut takes what clients were told is safe.",
    seen="openraft ee460f37; Yugabyte #32875",
    caught_by=("durable_before_sent", "match_is_durable", "committed_on_a_durable_majority"),
)
def _acknowledged_before_sync() -> Patches:
    return _unwaited(AppendEntriesReply)


@mutant(
    "A8-leader-counts-unflushed",
    story="A leader counts itself for entries that are still on their way to its disk. With one "
    "follower that is a majority of which only half is durable.",
    seen="openraft a9f696a9; etcd #14370",
    caught_by=("committed_on_a_durable_majority",),
)
def _leader_counts_unflushed() -> Patches:
    was = leader.maybe_commit

    def maybe_commit(raft: RaftState) -> None:
        durable, raft.writes.durable_index = raft.writes.durable_index, raft.log.last_index
        try:
            was(raft)
        finally:
            raft.writes.durable_index = durable

    return [Patch(leader, "maybe_commit", maybe_commit)]


@mutant(
    "A9-truncate-always",
    story="A follower cuts its log at every append instead of only at a conflict. A message that "
    "was late or sent twice drops entries that were acknowledged since.",
    seen="openraft 9540c904; PySyncObj today",
    caught_by=(
        "committed_stays",
        "committed_on_a_durable_majority",
        "indexes_in_order",
        "match_is_durable",
        "assertion",
    ),
)
def _truncate_always() -> Patches:
    was = door._ON[AppendEntries]

    def on_append_entries(raft: RaftState, sender: NodeId, message: AppendEntries) -> None:
        log, first = raft.log, Index(message.previous_index + 1)
        agrees = log.term_at(message.previous_index) == message.previous_term
        if agrees and message.entries and first <= log.last_index:
            log.cut(first)
            raft.writes.cut(first)
        was(raft, sender, message)

    return [Patch(door._ON, AppendEntries, on_append_entries)]


@mutant(
    "A11-late-write-confirms-rewritten-tail",
    story="A write's acknowledgement comes after its entries were cut and others were put at the "
    "same indexes. It is taken for theirs, which are not durable (ABA).",
    seen="etcd, testdata async_storage_writes_append_aba_race",
    caught_by=(
        "assertion",
        "durable_before_sent",
        "match_is_durable",
        "committed_on_a_durable_majority",
        "durable_before_applied",
    ),
)
def _late_write_confirms_rewritten_tail() -> Patches:
    def cut(writes: Writes, index: Index) -> None:
        before = Index(index - 1)
        writes.durable_index = min(writes.durable_index, before)
        writes.asked_index = min(writes.asked_index, before)

    return [Patch(Writes, "cut", cut)]


@mutant(
    "A12-completions-out-of-order",
    story="Writes complete out of order, and the completion of one is taken for all that were "
    "asked for before and after it.",
    seen="openraft 2af491fb",
    caught_by=(
        "durable_before_sent",
        "durable_before_applied",
        "committed_on_a_durable_majority",
    ),
)
def _completions_out_of_order() -> Patches:
    was = Writes.persisted

    def persisted(writes: Writes, _write_id: int, now_ms: int) -> None:
        was(writes, writes.next_id - 1, now_ms)

    return [Patch(Writes, "persisted", persisted)]


@mutant(
    "A14-directory-not-synced",
    story="A segment gets its name by a rename, but the directory is never synced. After a power "
    "cut the file is there without a name, and the log ends early or is gone.",
    seen="jraft #480, #227",
    caught_by=(
        "recovery_is_exact",
        "term_and_vote_kept",
        "leader_elected",
        "core_serves",
        "nodes_converge",
    ),
)
def _directory_not_synced() -> Patches:
    def sync_directory(_files: MemoryFiles) -> None:
        return

    return [Patch(MemoryFiles, "sync_directory", sync_directory)]


KEPT: Final = 4
"""Entries that stay: a log of nothing hides what happened."""


@mutant(
    "A15-state-behind-its-log",
    story="The log is dropped before the state that replaces it is durable. After a crash the "
    "state ends before the log begins, and nobody looks: entries are missing for ever.",
    seen="dragonboat #369, #156",
    caught_by=("recovery_is_exact", "indexes_in_order", "state_machine_safety", "assertion"),
)
def _state_behind_its_log() -> Patches:
    was_opened = Wal.open
    was_applied = Upkeep.applied

    def applied(upkeep: Upkeep, log_bytes: int) -> None:
        was_applied(upkeep, log_bytes)
        if upkeep.consensus.log_bytes > upkeep.compaction.log_bytes_max:
            upkeep.consensus.compact(Index(upkeep.group.applied.index - KEPT))

    def opened(*arguments: Any) -> tuple[Wal, Recovered]:
        files, identity, settings, _, draw_nonce = arguments
        return was_opened(files, identity, settings, {GROUP: Index(1 << 62)}, draw_nonce)

    def agreed(recovered: Recovered, state: Group, log: Wal, group: GroupId) -> RecoveredLog:
        found = recovered.groups.get(group)
        if found is not None and state.applied.index < found.compacted.index:
            state.applied = found.compacted
        return as_agreed(recovered, state, log, group)

    return [
        Patch(Upkeep, "applied", applied),
        Patch(Wal, "open", staticmethod(opened)),
        Patch(boarding, "agreed", agreed),
    ]


@mutant(
    "A17-applied-index-apart-from-state",
    story="The applied index and the data it stands for are two writes. A crash between them "
    "applies an entry a second time.",
    seen="Raft thesis errata: lastApplied must be as durable as the state machine",
    caught_by=("state_machine_safety", "snapshot_equals_replay", "results_follow_the_log"),
)
def _applied_index_apart_from_state() -> Patches:
    was = MemorySpace.write
    meta = group_prefix(GROUP, 0) + KIND_META

    def write(
        space: MemorySpace,
        rows: dict[bytes, bytes | None],
        drops: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        if meta not in rows or len(rows) == 1:
            was(space, rows, drops)
            return
        was(space, {key: value for key, value in rows.items() if key != meta}, drops)
        was(space, {meta: rows[meta]})

    return [Patch(MemorySpace, "write", write)]


@mutant(
    "A18-log-cut-at-damage",
    story="A bit of the log rots. Recovery cuts the log at the first wrong checksum instead of "
    "giving the disk up, and the node votes and counts without what it once acknowledged.",
    seen="hashicorp/raft #614; Alagappan et al., FAST 2018",
    caught_by=("recovery_is_exact", "committed_stays", "term_and_vote_kept", "assertion"),
)
def _log_cut_at_damage() -> Patches:
    def _judge(walk: Any, _content: bytes, place: Any, _header: Any, why: str, **_: Any) -> None:
        walk._decisions.append(place.decision(recovery.Verdict.TORN, why))

    def require_same(_replay: replay.Replay, _checkpoint: replay.Replay) -> None:
        return

    def _lost(_walk: Any, _applied: Any, _repeat: Any) -> None:
        return None

    return [
        Patch(recovery._Walk, "_judge", _judge),
        Patch(recovery._Walk, "_lost", _lost),
        Patch(replay.Replay, "require_same", require_same),
    ]


MUTANTS: Final[tuple[Mutant | Absent, ...]] = (
    _vote_not_durable,
    _term_and_vote_apart,
    _failed_sync_ignored,
    _metadata_read_as_nothing,
    _vote_erased_in_its_term,
    _acknowledged_before_sync,
    _leader_counts_unflushed,
    _truncate_always,
    _late_write_confirms_rewritten_tail,
    _completions_out_of_order,
    _directory_not_synced,
    _state_behind_its_log,
    _applied_index_apart_from_state,
    _log_cut_at_damage,
)
