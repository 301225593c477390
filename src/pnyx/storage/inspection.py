"""What a write-ahead log holds, offline: rows for `pnyx log dump` and `pnyx log verify`.

Runs the very recovery that a start runs, with what the space durably holds, and changes nothing. A
node that runs meanwhile goes on writing, so its last batch may look torn; `is_running` says so.
"""

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from pnyx.consensus.ready import EntryKind
from pnyx.errors import DiskFailed, LostDisk, WrongDirectory
from pnyx.ids import GroupId, Index, Term
from pnyx.machine.group import Group, groups_in
from pnyx.storage import record as records, segment as segments
from pnyx.storage.agreement import agreed, check_founded
from pnyx.storage.directory import DiskFiles
from pnyx.storage.identity import LOCK_NAME, SPACE_NAME, WAL_NAME, read_identity
from pnyx.storage.owner import Identity
from pnyx.storage.readonly import ReadOnlySpace
from pnyx.storage.record import Record, RecordType
from pnyx.storage.recovery import Decision, Recovered, Recovery, Verdict, loss, recover
from pnyx.storage.simulated import MemoryFiles
from pnyx.storage.wal import Wal, WalSettings

CONTROLLER: Final = GroupId(0)
"""The group that every node has, with or without a row."""
ATTEMPTS: Final = 3
"""So often a running node's directory is read before it is called lost: a file that was compacted
away between two looks is nothing that a start would meet."""


@dataclass(frozen=True, slots=True)
class DumpRow:
    """One record of the log, or one place where none could be read."""

    segment: int
    batch: int
    offset: int
    """Of the batch, in the segment's file."""
    verdict: Verdict
    what: str
    """The record's type, or why there is none."""
    group: GroupId | None = None
    index: Index | None = None
    term: Term | None = None
    detail: str = ""


class GroupRow(NamedTuple):
    """One group as a start would find it."""

    group: GroupId
    term: Term
    voted_for: str
    """The NodeId in hexadecimal, or `-`."""
    compacted: Index
    last: Index
    entry_count: int
    payload_bytes: int


@dataclass(frozen=True, slots=True)
class Verification:
    """What a start would make of the log."""

    identity: Identity
    decisions: list[Decision]
    """One per batch, in log order."""
    groups: list[GroupRow]
    """As far as they could be read, if `lost`."""
    lost: LostDisk | None
    """Why a start would refuse, or None."""
    is_running: bool
    """A process holds the directory's lock."""

    def counted(self) -> dict[Verdict, int]:
        """Return how many batches have each verdict."""
        verdicts = [decision.verdict for decision in self.decisions]
        return {verdict: verdicts.count(verdict) for verdict in Verdict}


class _Found(NamedTuple):
    """What a start would work with."""

    recovery: Recovery
    lost: LostDisk | None
    """Of the log, the space, or because the two do not fit together."""


def verify(data: Path) -> Verification:
    """Do what a start does on the data directory `data`, but write nothing.

    Raises:
        WrongDirectory: `data` is no data directory, or its log is another node's.
        LostDisk: its identity cannot be read.
        DiskFailed: a file cannot be read.
    """
    identity = read_identity(data)
    recovery, lost = _start(data, identity)
    groups = [
        GroupRow(
            group,
            found.hard_state.term,
            "-" if found.hard_state.voted_for is None else f"{found.hard_state.voted_for:x}",
            found.compacted.index,
            found.entries[-1].index if found.entries else found.compacted.index,
            len(found.entries),
            sum(len(entry.payload) for entry in found.entries),
        )
        for group, found in recovery.recovered.groups.items()
    ]
    return Verification(identity, recovery.recovered.decisions, groups, lost, _is_running(data))


def dump(data: Path) -> Iterator[DumpRow]:
    """Yield every record of the log in order, and every place where none could be read.

    Raises:
        WrongDirectory: `data` is no data directory, or its log is another node's.
        DiskFailed: a file cannot be read.
    """
    decisions = _start(data, read_identity(data)).recovery.recovered.decisions
    files = DiskFiles(data / WAL_NAME)
    sequence, content = 0, b""
    for decision in decisions:
        if decision.verdict is not Verdict.VALID:
            yield DumpRow(*decision[:4], decision.why)
            continue
        if decision.segment != sequence:
            sequence = decision.segment
            name = segments.file_name(sequence)
            content = files.read(name, 0, files.size(name))
        body = segments.body_at(content, decision.offset)
        offset = 0
        while offset < len(body):
            record = records.decode(body, offset)
            yield _row(decision, record)
            offset = record.end


def _row(decision: Decision, record: Record) -> DumpRow:
    has_group = record.type is not RecordType.FORMATION
    return DumpRow(
        *decision[:4],
        record.type.name.lower().replace("_", " "),
        record.group if has_group else None,
        record.index or None,
        record.term if has_group and record.type is not RecordType.GROUP else None,
        _detail(record),
    )


def _detail(record: Record) -> str:
    match record.type:
        case RecordType.ENTRY:
            return f"{EntryKind(record.kind).name.lower()}, {len(record.payload)} bytes"
        case RecordType.HARD_STATE | RecordType.DESTROYED:
            return f"vote {record.node:x}" if record.kind else "no vote"
        case RecordType.FORMATION:
            formed = records.formed_of(record)
            nodes = ", ".join(f"{label} = {node:x}" for label, node in formed.nodes)
            return nodes + (", complete" if formed.complete else "")
        case RecordType.GROUP:
            state = records.checkpoint_of(record)
            return (
                f"term {state.hard_state.term}, compacted {state.compacted.index}, "
                f"last {state.last.index}"
            )
        case _:
            return ""


def _start(data: Path, identity: Identity) -> _Found:
    path = data / WAL_NAME
    if not path.is_dir():
        raise WrongDirectory(
            f"{data} has no write-ahead log",
            cause=f"there is no directory {WAL_NAME} in it",
            next_step="name the `data` directory of a node that has run",
        )
    try:
        return _settled(data, identity)
    except OSError as error:
        raise DiskFailed(
            f"the write-ahead log in {path} cannot be read",
            cause=str(error),
            next_step="check the disk and the directory's permissions",
        ) from error


def _settled(data: Path, identity: Identity) -> _Found:
    left = ATTEMPTS if _is_running(data) else 1
    while True:
        left -= 1
        try:
            found = _attempt(data, identity)
        except FileNotFoundError:
            if not left:
                raise
        else:
            if found.lost is None or not left:
                return found


def _attempt(data: Path, identity: Identity) -> _Found:
    """Go the way of node/disk.py: the space, the log, and whether they agree."""
    files = DiskFiles(data / WAL_NAME)
    try:
        with ReadOnlySpace(data / SPACE_NAME) as space:
            states = {group: Group(space, group) for group in {CONTROLLER, *groups_in(space)}}
    except LostDisk as error:
        # What the log alone says is worth printing all the same.
        return _Found(recover(files, identity.cluster, identity.node, None), error)
    applied = {group: state.applied.index for group, state in states.items()}
    recovery = recover(files, identity.cluster, identity.node, applied)
    lost = loss(recovery, identity)
    return _Found(recovery, lost or _disagreement(recovery.recovered, states, identity))


def _disagreement(
    recovered: Recovered, states: dict[GroupId, Group], identity: Identity
) -> LostDisk | None:
    # What a start would write goes into a log in memory.
    fresh = msgspec.structs.replace(identity, started=False)
    wal, _ = Wal.open(MemoryFiles(), fresh, WalSettings(), {}, lambda: 0)
    try:
        check_founded(recovered, states)
        for group, state in sorted(states.items()):
            if group not in recovered.destroyed:
                agreed(recovered, state, wal, group)
    except LostDisk as error:
        return error
    return None


def _is_running(data: Path) -> bool:
    try:
        lock = os.open(data / LOCK_NAME, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False
