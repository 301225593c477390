"""What a write-ahead log says after a crash: a pure function of its bytes that explains itself.

Every batch gets a decision:

    valid     counts
    void      a later start named an earlier batch as the last that counts
    torn      the very last batch, written in part: it was never acknowledged
    ignored   damage before a later checkpoint, and nothing that is still wanted was in it
    lost      any other damage: durable bytes are gone, so this replica's promises are too

Damage is never repaired by cutting the log at the first bad checksum: what follows it was
acknowledged. Only the last batch, with nothing intact after it, can be a tear, and never the first
batch of a segment, which is durable before the segment gets its name. Rot in the very last batch
cannot be told from a tear.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from pnyx.consensus.formation import Formed
from pnyx.consensus.ready import HardState, RecoveredLog
from pnyx.errors import LostDisk, WrongDirectory
from pnyx.ids import GroupId, Index, NodeId
from pnyx.storage import record as records, segment as segments
from pnyx.storage.files import Files
from pnyx.storage.groups import Groups
from pnyx.storage.owner import Identity
from pnyx.storage.record import Malformed, Record, RecordType
from pnyx.storage.replay import Replay, encode_checkpoint, restated, trim
from pnyx.storage.segment import BLOCK_BYTES, Batch, Broken, SegmentHeader


class Verdict(StrEnum):
    """What became of a batch."""

    VALID = "valid"
    VOID = "void"
    TORN = "torn"
    IGNORED = "ignored"
    LOST = "lost"


class Decision(NamedTuple):
    """One line of recovery's explanation."""

    segment: int
    batch: int
    """Its number, or the one that belongs there; 0 for a segment's header."""
    offset: int
    verdict: Verdict
    why: str


@dataclass(slots=True)
class Recovered:
    """What a node starts from."""

    groups: dict[GroupId, RecoveredLog] = field(default_factory=dict)
    destroyed: dict[GroupId, HardState] = field(default_factory=dict)
    formed: Formed | None = None
    decisions: list[Decision] = field(default_factory=list)


@dataclass(slots=True)
class Repeat:
    """The last batch, to be written again before anybody speaks: it may not be durable."""

    number: int = 0
    """The batch before it, the last that counts."""
    chain: int = segments.NO_CHAIN
    checkpoint: list[bytes] = field(default_factory=list)
    """Records that restate everything before it."""
    body: bytes = b""
    record_count: int = 0


@dataclass(slots=True)
class Recovery:
    """Everything recovery found. If `lost` is set, the rest is only good for printing."""

    recovered: Recovered
    groups: Groups
    repeat: Repeat
    sequence: int
    """The newest segment; 0 if there is none."""
    lost: LostDisk | None


def recover(
    files: Files, cluster: str, node: NodeId, applied: Mapping[GroupId, Index] | None
) -> Recovery:
    """Read the log of `node`, changing nothing.

    `applied` is each group's durable applied index: entries at or below it may be damaged, and the
    log must not start above it. None is not known: then only compacted entries may be damaged.

    Raises:
        WrongDirectory: an intact segment belongs to another cluster or node.
        OSError: a file cannot be read.
    """
    found = sorted(
        sequence for name in files.names() if (sequence := segments.sequence_of(name)) is not None
    )
    owner = (segments.cluster_digest(cluster), node)
    headers = [_header(files, sequence, owner) for sequence in found]
    walk = _Walk()
    for position, (sequence, header) in enumerate(zip(found, headers, strict=True)):
        later = [other.number for other in headers[position + 1 :] if not isinstance(other, str)]
        limit = min(later, default=None)
        walk.read_segment(files, sequence, header, limit, newest=sequence == found[-1])
    return walk.finish(applied)


def _header(files: Files, sequence: int, owner: tuple[bytes, NodeId]) -> SegmentHeader | str:
    """Return the segment's header, or why it cannot be used."""
    name = segments.file_name(sequence)
    try:
        header = segments.decode_segment_header(files.read(name, 0, BLOCK_BYTES))
    except Broken as error:
        return str(error)
    if (header.cluster, header.node) != owner:
        raise WrongDirectory(
            f"the write-ahead log belongs to node {header.node:x} "
            f"of the cluster with digest {header.cluster.hex()}",
            cause=f"this is node {owner[1]:x} of the cluster with digest {owner[0].hex()} ({name})",
            next_step="put each node's own `wal` directory back; nothing was changed",
        )
    if header.sequence != sequence:
        return f"it holds the header of segment {header.sequence}"
    return header


@dataclass(slots=True)
class _Position:
    """A place in the log, for a decision."""

    segment: int
    batch: int
    offset: int

    def decision(self, verdict: Verdict, why: str) -> Decision:
        return Decision(self.segment, self.batch, self.offset, verdict, why)


@dataclass(slots=True)
class _Pending:
    """A valid batch that is not folded yet, since it may turn out to be the last."""

    place: _Position
    number: int
    """Of the batch before it."""
    chain: int
    records: list[Record]
    body: bytes


class _Walk:
    """Reads segments in order, folding batches into the groups' state."""

    def __init__(self) -> None:
        self._replay = Replay()
        self._decisions: list[Decision] = []
        self._number = 0
        self._chain = segments.NO_CHAIN
        self._sequence = 0
        self._pending: _Pending | None = None
        self._suspects: list[int] = []
        """Positions in `_decisions` of damage that a later segment may still excuse."""
        self._adrift = False
        """Is the state unknown until the next checkpoint?"""
        self._base = ""
        """Why entries before the last adopted checkpoint were not read."""
        self._excused: list[int] = []

    def read_segment(
        self,
        files: Files,
        sequence: int,
        header: SegmentHeader | str,
        limit: int | None,
        *,
        newest: bool,
    ) -> None:
        """Read one segment, in which batches after `limit` are void."""
        first_ever = self._sequence == 0
        self._sequence = sequence
        if isinstance(header, str):
            self._suspect(_Position(sequence, 0, 0), header)
            return
        self._step_over(header, first_ever=first_ever)
        if limit is not None and header.number >= limit:
            why = f"a later start counts the log only up to batch {limit}"
            place = _Position(sequence, header.number + 1, BLOCK_BYTES)
            self._decisions.append(place.decision(Verdict.VOID, why))
            return
        name = segments.file_name(sequence)
        content = files.read(name, 0, files.size(name))
        offset = self._read_first(content, header)
        if offset is not None:
            self._read_rest(content, offset, header, limit, newest=newest)

    def _step_over(self, header: SegmentHeader, *, first_ever: bool) -> None:
        """Compare where the log stands with where `header` says that it does.

        If they differ, only the segment's checkpoint can tell what came before.
        """
        if (self._number, self._chain) == (header.number, header.chain):
            # Whatever looked damaged since the last batch that counts was void.
            for suspect in self._suspects:
                self._decisions[suspect] = self._decisions[suspect]._replace(verdict=Verdict.VOID)
            self._suspects.clear()
            return
        if not self._suspects and not first_ever:
            why = f"the log before this segment should end at batch {header.number}"
            why += f", it ends at batch {self._number}"
            self._suspect(_Position(header.sequence, 0, 0), why)
        if self._suspects:
            self._excused += self._suspects
            self._base = self._decisions[self._suspects[0]].why
            self._suspects.clear()
        else:
            self._base = "the segments before it were removed"
        self._pending = None
        self._number, self._chain = header.number, header.chain
        self._adrift = True

    def _read_first(self, content: bytes, header: SegmentHeader) -> int | None:
        """Take in the segment's checkpoint; return where the next batch starts, or None."""
        place = _Position(header.sequence, header.number + 1, BLOCK_BYTES)
        try:
            batch = segments.decode_batch(
                content, BLOCK_BYTES, header.nonce, header.number + 1, header.chain
            )
            found = _records(batch)
            self._fold_pending()
            checkpoint = found[: batch.checkpoint_count]
            stated = restated(checkpoint)
            if self._adrift:
                self._replay.adopt(stated)
                self._adrift = False
            else:
                self._replay.require_same(stated)
        except (Broken, Malformed) as error:
            self._suspect(place, str(error))
            return None
        start = checkpoint[-1].end if checkpoint else 0
        self._take(place, batch, found[batch.checkpoint_count :], batch.body[start:])
        return batch.end

    def _read_rest(
        self, content: bytes, offset: int, header: SegmentHeader, limit: int | None, *, newest: bool
    ) -> None:
        while True:
            place = _Position(header.sequence, self._number + 1, offset)
            blank = segments.is_blank(content, offset)
            if limit is not None and self._number >= limit:
                if not blank:
                    why = f"a later start counts the log only up to batch {limit}"
                    self._decisions.append(place.decision(Verdict.VOID, why))
                return
            try:
                batch = segments.decode_batch(
                    content, offset, header.nonce, self._number + 1, self._chain
                )
                found = _records(batch)
            except (Broken, Malformed) as error:
                self._judge(content, place, header, str(error), blank=blank, newest=newest)
                return
            try:
                self._fold_pending()
            except Malformed as error:
                self._suspect(place, f"the batch before it cannot be: {error}")
                return
            self._take(place, batch, found, batch.body)
            offset = batch.end

    def _judge(
        self,
        content: bytes,
        place: _Position,
        header: SegmentHeader,
        why: str,
        *,
        blank: bool,
        newest: bool,
    ) -> None:
        """Decide between the log's end, a tear and damage where no batch could be read."""
        here = segments.batch_number(content, place.offset, header.nonce) or 0
        beyond = place.offset + BLOCK_BYTES
        later = max(here - 1, segments.last_written_number(content, beyond, header.nonce))
        if not newest:
            # Not yet damage: if the next segment counts no batch from here on, it was void.
            if not blank or later > self._number:
                self._suspect(place, why)
        elif later > self._number:
            self._suspect(place, f"{why}; batch {later} was written after it")
        elif not blank:
            self._decisions.append(place.decision(Verdict.TORN, why))

    def _take(self, place: _Position, batch: Batch, found: list[Record], body: bytes) -> None:
        self._pending = _Pending(place, self._number, self._chain, found, body)
        self._number, self._chain = batch.number, batch.chain
        self._decisions.append(place.decision(Verdict.VALID, f"{batch.record_count} records"))

    def _suspect(self, place: _Position, why: str) -> None:
        self._suspects.append(len(self._decisions))
        self._decisions.append(place.decision(Verdict.LOST, why))

    def _fold_pending(self, sequence: int | None = None) -> None:
        """Fold the batch read before; its entries stand in `sequence`, or where it was read.

        Raises:
            Malformed: its records contradict each other.
        """
        pending, self._pending = self._pending, None
        if pending is not None:
            for record in pending.records:
                self._replay.fold(record, sequence or pending.place.segment)

    def finish(self, applied: Mapping[GroupId, Index] | None) -> Recovery:
        """Fold the last batch and judge what was skipped."""
        repeat = Repeat(self._number, self._chain)
        if self._pending is not None and not self._suspects:
            pending = self._pending
            checkpoint = encode_checkpoint(self._replay.groups, self._replay.formed)
            repeat = Repeat(
                pending.number, pending.chain, checkpoint, pending.body, len(pending.records)
            )
            try:
                self._fold_pending(self._sequence + 1)
            except Malformed as error:
                self._suspect(pending.place, str(error))
        lost = self._lost(applied, repeat)
        for position in self._excused:
            if lost is None:
                decision = self._decisions[position]
                self._decisions[position] = decision._replace(verdict=Verdict.IGNORED)
        alive = self._replay.groups.alive
        recovered = Recovered(
            {
                group: RecoveredLog(
                    state.hard_state,
                    state.compacted,
                    self._replay.entries.get(group, []),
                    state.accepted,
                )
                for group, state in sorted(alive.items())
            },
            dict(self._replay.groups.destroyed),
            self._replay.formed,
            self._decisions,
        )
        return Recovery(recovered, self._replay.groups, repeat, self._sequence, lost)

    def _lost(self, applied: Mapping[GroupId, Index] | None, repeat: Repeat) -> LostDisk | None:
        if self._suspects:
            return _lost_disk(self._decisions[self._suspects[0]])
        for group, state in sorted(self._replay.groups.alive.items()):
            reached = state.compacted.index if applied is None else applied.get(group, Index(0))
            missing, why = state.missing, ""
            if reached < state.compacted.index:
                # The entries in between are nowhere: silently starting later would lose them.
                why = f"the log of group g{group} starts after entry {state.compacted.index}"
            elif missing and not state.forgive_missing(reached):
                why = f"{self._base}; group g{group} needs its entries up to {missing}"
            if why:
                where = self._decisions[self._excused[0] if self._excused else 0]
                why += f", the space durably holds only those up to {reached}"
                return _lost_disk(where._replace(why=why))
            if missing:
                trim(state, self._replay.entries.get(group, []))
                # Durable with the repeated batch, so that the next start need not forgive again.
                repeat.body += records.encode_mark(RecordType.COMPACTED, group, state.compacted)
                repeat.record_count += 1
        return None


def loss(recovery: Recovery, identity: Identity) -> LostDisk | None:
    """Return why the node of `identity` may not start with what was recovered; None if it may."""
    if recovery.lost is not None or recovery.sequence or not identity.started:
        return recovery.lost
    return LostDisk(
        "the write-ahead log is gone",
        cause="this node has run before and its `wal` directory holds no segment",
        next_step="restore the directory, or move all of the node's data away: "
        "it joins again under a new identity",
    )


def _records(batch: Batch) -> list[Record]:
    found: list[Record] = []
    offset = 0
    while offset < len(batch.body):
        record = records.decode(batch.body, offset)
        found.append(record)
        offset = record.end
    if len(found) != batch.record_count or batch.checkpoint_count > len(found):
        raise Malformed(f"{len(found)} records where {batch.record_count} belong")
    return found


def _lost_disk(decision: Decision) -> LostDisk:
    name = segments.file_name(decision.segment)
    return LostDisk(
        f"the write-ahead log is damaged in segment {name} at offset {decision.offset} "
        f"(batch {decision.batch})",
        cause=decision.why,
        next_step="run `pnyx log verify`, move the data directory away and start the node "
        "with an empty one: it joins again under a new identity",
    )
