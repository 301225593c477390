"""The write-ahead log: the one thing that is durable before anything is answered.

Rule 1: one batch, one sync. `append` is called from one thread at a time and returns when the batch
is durable; the next one collects meanwhile, which is group commit without timers.
Rule 2: any error from write, sync or rename is final. The log refuses everything afterwards, and
the process must end without acknowledging: after a failed sync the kernel may have dropped the
pages, and a retry that succeeds would prove nothing. A segment for which there is no room is none
of these: nothing of the batch is written before its file is whole, so the batch may be tried again.
Rule 3: no sector is written twice. Segments are never recycled, and every start opens a new one.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from errno import ENOSPC
from typing import Final, NamedTuple

from pnyx.consensus.formation import Formed
from pnyx.consensus.ready import Write
from pnyx.errors import DiskFailed, NoRoom
from pnyx.ids import GroupId, Index
from pnyx.storage import record as records, segment as segments
from pnyx.storage.files import Files, OpenFile, Zeros, write_whole
from pnyx.storage.groups import GroupState
from pnyx.storage.owner import Identity
from pnyx.storage.record import RecordType
from pnyx.storage.recovery import Recovered, Recovery, loss, recover
from pnyx.storage.replay import encode_checkpoint
from pnyx.storage.segment import BLOCK_BYTES, SegmentHeader

SPARE_AFTER_BYTES: Final = 256 * 1024
"""A segment this full is in use, so the next one is made ahead; an idle node keeps only one."""
BULKY_BYTES: Final = 32 * 1024
"""With most bytes in batches this large, the next segment's zeros cost more than they save."""
WRITE_BYTES_MAX: Final = 256 * 1024
"""A batch up to this is handed to the kernel in a fraction of a millisecond."""
RESERVE_SEGMENTS: Final = 4
"""Without another setting, disk space is low when less than this many segments is free."""
_SPARE_SUFFIX: Final = ".tmp"


@dataclass(frozen=True, slots=True)
class WalSettings:
    """Sizes of the log's files."""

    segment_bytes: int = 64 * 1024 * 1024
    """A multiple of 4096. An entry may take at most half of it."""
    first_segment_bytes: int = 4 * 1024 * 1024
    """The size of a segment that somebody waits for: each start's first one."""
    reserve_bytes: int | None = None
    """Disk space is low with less than this free; None: four segments."""

    def __post_init__(self) -> None:
        """Check what the operator's settings promise."""
        for size in (self.segment_bytes, self.first_segment_bytes):
            assert size % BLOCK_BYTES == 0, "segments are whole blocks"
            assert size >= 2 * BLOCK_BYTES, "a header and a checkpoint must fit"


class GroupWrite(NamedTuple):
    """One group's part of a batch."""

    group: GroupId
    write: Write


class Draft(NamedTuple):
    """A batch and where it goes: whole blocks."""

    file: OpenFile
    offset: int
    batch: bytes


@dataclass(slots=True)
class WalCounters:
    """What the log has done since it was opened."""

    syncs: int = 0
    bytes: int = 0
    """Written in batches, padding included."""
    opened: int = 0
    """Segments begun."""


@dataclass(slots=True)
class _Segment:
    """The segment being written."""

    sequence: int
    size: int
    nonce: int
    file: OpenFile
    offset: int
    """Where the next batch goes."""
    squares: int
    """Of its batches' sizes, summed: a batch counts by its bytes."""


class _Spare(NamedTuple):
    name: str
    size: int


class Wal:
    """A node's log, open for appending."""

    def __init__(
        self,
        files: Files,
        identity: Identity,
        settings: WalSettings,
        recovery: Recovery,
        draw_nonce: Callable[[], int],
    ) -> None:
        """Use `Wal.open`, which also makes the first segment."""
        self.counters = WalCounters()
        self._files = files
        self._identity = identity
        self._settings = settings
        self._draw_nonce = draw_nonce
        self._groups = recovery.groups
        self._formed = recovery.recovered.formed
        self._number = recovery.repeat.number
        self._chain = recovery.repeat.chain
        self._active: _Segment | None = None
        self._spare: _Spare | None = None
        self._spares_made = 0
        self._no_room = False
        self._closed: deque[int] = deque()
        self._removable: deque[int] = deque()
        self._failed: DiskFailed | None = None

    @classmethod
    def open(
        cls,
        files: Files,
        identity: Identity,
        settings: WalSettings,
        applied: Mapping[GroupId, Index],
        draw_nonce: Callable[[], int],
    ) -> tuple["Wal", Recovered]:
        """Recover the log and open a new segment, in which the last batch is durable.

        `applied` is each group's durable applied index. `draw_nonce` returns 64 random bits.

        Raises:
            LostDisk: durable bytes are gone or wrong; nothing was written.
            WrongDirectory: the log is another node's; nothing was written.
            NoRoom: there is none for the segment; nothing was written.
            DiskFailed: a file could not be read or written.
        """
        try:
            recovery = recover(files, identity.cluster, identity.node, applied)
        except OSError as error:
            raise _disk_failed("the write-ahead log cannot be read", error) from error
        lost = loss(recovery, identity)
        if lost is not None:
            raise lost
        wal = cls(files, identity, settings, recovery, draw_nonce)
        wal._begin(recovery)
        return wal, recovery.recovered

    def append(
        self,
        writes: Sequence[GroupWrite],
        formed: Formed | None = None,
        destroyed: Sequence[GroupId] = (),
    ) -> int:
        """Make one batch durable and return how many bytes it took; 0 if there is nothing in it.

        Blocks for the sync. From one thread at a time. Within a batch `formed` comes first, then
        `writes` in their order, then the groups to destroy; one that never wrote has nothing here.

        Raises:
            NoRoom: the batch needs a segment and there is no room for one; nothing was written, and
                it may be appended again.
            DiskFailed: nothing of the batch may be acknowledged; the log is closed for good.
        """
        before = self.counters.bytes
        known = [group for group in destroyed if group in self._groups.alive]
        try:
            draft = self._draft(writes, formed, known, by_kernel=False)
            if draft is not None:
                write_whole(*draft)
                draft.file.sync()
        except OSError as error:
            raise self.write_failed(error) from error
        self._retire()
        return self.counters.bytes - before

    def draft(self, writes: Sequence[GroupWrite], formed: Formed | None = None) -> Draft | None:
        """Return a batch that is quick to write, for the kernel to write and make durable.

        Then `written` or `write_failed` is to be called, and nothing else before. None if `append`
        is needed: the batch is large, opens a segment, or the file has no descriptor.

        Raises:
            DiskFailed: the log was closed before.
        """
        # Else what is large would be encoded here, and once more by `append`.
        size = sum([len(entry.payload) for _, write in writes for entry in write.entries])
        if size > WRITE_BYTES_MAX:
            return None
        return self._draft(writes, formed, (), by_kernel=True)

    def written(self) -> None:
        """What `draft` returned is durable."""
        self._retire()

    def write_failed(self, error: OSError) -> DiskFailed:
        """Close the log for good and return what to raise."""
        return self._fail("the write-ahead log cannot be written", error)

    def _draft(
        self,
        writes: Sequence[GroupWrite],
        formed: Formed | None,
        destroyed: Sequence[GroupId],
        *,
        by_kernel: bool,
    ) -> Draft | None:
        """Return the next batch, remembered as if it were written.

        None if there is nothing to write, or that took a new segment and is done. `by_kernel`
        nothing is done if the batch is too large, does not fit, or the file has no descriptor.
        """
        if self._failed is not None:
            raise self._failed
        parts: list[bytes] = []
        count = self._encode(writes, formed, destroyed, parts)
        if not count:
            return None
        active = self._active
        assert active is not None, "`open` made a segment"
        needed = segments.batch_bytes(sum(map(len, parts)))
        fits = active.offset + needed <= active.size
        is_quick = fits and needed <= WRITE_BYTES_MAX and active.file.descriptor is not None
        if by_kernel and not is_quick:
            return None
        if not fits:
            checkpoint = encode_checkpoint(self._groups, self._formed)
            self._switch(active.sequence + 1, checkpoint, parts, count)
            self._apply(writes, formed, destroyed, active.sequence + 1)
            return None
        self._apply(writes, formed, destroyed, active.sequence)
        batch, self._chain = segments.encode_batch(
            active.nonce, self._number + 1, self._chain, parts, record_count=count
        )
        draft = Draft(active.file, active.offset, batch)
        active.offset += needed
        active.squares += needed * needed
        self._number += 1
        self.counters.syncs += 1
        self.counters.bytes += needed
        return draft

    def wants_spare(self) -> bool:
        """Should `make_spare` be called now? Cheap."""
        active = self._active
        return (
            self._failed is None
            and self._spare is None
            and active is not None
            # Where there was no room, only another try can show that there is some again.
            and (active.offset >= SPARE_AFTER_BYTES or self._no_room)
            and self._files.free_bytes() >= self._settings.segment_bytes
        )

    def make_spare(self) -> None:
        """Make the next segment ahead of need. Blocks; may run beside `append`, not itself.

        A full disk is no failure here: it shows in `low_space`.

        Raises:
            DiskFailed: any other error; the log is closed for good.
        """
        self._spares_made += 1
        name = f"spare-{self._spares_made}{_SPARE_SUFFIX}"
        try:
            self._spare = self._made(name, self._settings.segment_bytes, Zeros.SPREAD)
        except NoRoom:
            self._remove(name)
            self._no_room = True
            return
        except OSError as error:
            raise self._fail("a new segment cannot be made", error) from error
        self._no_room = False

    @property
    def segment_count(self) -> int:
        """How many segments are on disk."""
        return len(self._closed) + len(self._removable) + 1

    def wants_removal(self) -> bool:
        """Are there segments that nobody needs any more? Cheap."""
        return bool(self._removable) and self._failed is None

    def remove_segments(self) -> int:
        """Delete what nobody needs and return how many segments went. Blocks, like `make_spare`.

        Raises:
            DiskFailed: the log is closed for good.
        """
        count = 0
        try:
            while self._removable:
                self._files.unlink(segments.file_name(self._removable[0]))
                self._removable.popleft()
                count += 1
        except OSError as error:
            raise self._fail("an old segment cannot be removed", error) from error
        return count

    def lagging(self, segment_count: int) -> tuple[GroupId, ...]:
        """Return the groups whose entries keep segments older than the newest `segment_count`."""
        active = self._active
        assert active is not None, "`open` made a segment"
        oldest = active.sequence - segment_count + 1
        wanted = ((group, state.oldest_segment()) for group, state in self._groups.alive.items())
        return tuple(sorted(group for group, own in wanted if own is not None and own < oldest))

    def low_space(self) -> bool:
        """Is there too little disk space to take new entries?"""
        reserve = self._settings.reserve_bytes
        if reserve is None:
            reserve = RESERVE_SEGMENTS * self._settings.segment_bytes
        return self._no_room or self._files.free_bytes() < reserve

    def close(self) -> None:
        """Give the file back. Everything acknowledged is durable already."""
        if self._active is not None:
            self._active.file.close()
            self._active = None

    def _begin(self, recovery: Recovery) -> None:
        try:
            for name in self._files.names():
                if name.endswith(_SPARE_SUFFIX):
                    self._files.unlink(name)
                elif (sequence := segments.sequence_of(name)) is not None:
                    self._closed.append(sequence)
            repeat = recovery.repeat
            body, count = [repeat.body], repeat.record_count
            self._switch(recovery.sequence + 1, repeat.checkpoint, body, count)
        except OSError as error:
            raise self._fail("the write-ahead log cannot be opened", error) from error
        self._retire()

    def _switch(
        self, sequence: int, checkpoint: list[bytes], parts: list[bytes], count: int
    ) -> None:
        """Open the next segment, with `checkpoint` and `parts` as one batch."""
        nonce = self._draw_nonce()
        batch, chain = segments.encode_batch(
            nonce,
            self._number + 1,
            self._chain,
            checkpoint + parts,
            record_count=len(checkpoint) + count,
            checkpoint_count=len(checkpoint),
        )
        header = segments.encode_segment_header(
            SegmentHeader(
                segments.cluster_digest(self._identity.cluster),
                self._identity.node,
                sequence,
                nonce,
                self._number,
                self._chain,
            )
        )
        spare = self._take_spare(BLOCK_BYTES + len(batch), sequence)
        file = self._files.open(spare.name)
        write_whole(file, 0, header + batch)
        # The name comes last: a segment that has one is whole, so damage to its header or its
        # first batch is never mistaken for a tear.
        file.sync()
        self._files.rename(spare.name, segments.file_name(sequence))
        self._files.sync_directory()
        if self._active is not None:
            self._active.file.close()
            self._closed.append(self._active.sequence)
        size = len(batch)
        self._active = _Segment(sequence, spare.size, nonce, file, BLOCK_BYTES + size, size * size)
        self._number += 1
        self._chain = chain
        self.counters.syncs += 1
        self.counters.bytes += size
        self.counters.opened += 1

    def _take_spare(self, needed: int, sequence: int) -> _Spare:
        spare = self._spare
        if spare is not None and spare.size >= needed:
            self._spare = None
            return spare
        # Somebody waits: make it no larger than it must be.
        size = max(self._settings.first_segment_bytes, needed)
        return self._made(f"{sequence:012d}{_SPARE_SUFFIX}", size, Zeros.AT_ONCE)

    def _made(self, name: str, size: int, zeros: Zeros) -> _Spare:
        """Make a file for a segment, whose zeros are only reserved if batches are large.

        Raises:
            NoRoom: the disk is full.
            OSError: any other failure.
        """
        bulky = self._active and self._active.squares >= BULKY_BYTES * self._active.offset
        self._remove(name)
        try:
            self._files.create(name, size, Zeros.RESERVED if bulky else zeros)
        except OSError as error:
            if error.errno != ENOSPC:
                raise
            raise NoRoom(
                "the write-ahead log has no room to grow",
                cause=f"{error}, for a segment of {size} bytes",
                next_step="make room on the disk; nothing that was acknowledged is lost",
            ) from error
        return _Spare(name, size)

    def _remove(self, name: str) -> None:
        """Remove what a try that found no room has left."""
        if name in self._files.names():
            self._files.unlink(name)

    def _retire(self) -> None:
        """Line up the closed segments that every group has compacted past."""
        if not self._closed:
            return
        active = self._active
        assert active is not None, "a segment was just written"
        oldest = self._groups.oldest_segment()
        wanted = active.sequence if oldest is None else oldest
        while self._closed and self._closed[0] < wanted:
            self._removable.append(self._closed.popleft())

    def _encode(
        self,
        writes: Sequence[GroupWrite],
        formed: Formed | None,
        destroyed: Sequence[GroupId],
        parts: list[bytes],
    ) -> int:
        """Put the batch's records into `parts` and return how many records they are."""
        count = 0
        if formed is not None:
            parts.append(records.encode_formed(formed))
            count += 1
        created: dict[GroupId, GroupState] = {}
        for group, write in writes:
            if group not in self._groups.alive and group not in created:
                created[group] = self._groups.draft(group)
                parts.append(records.encode_group(group, created[group].checkpoint()))
                count += 1
            count += records.encode_write(group, write, parts)
        for group in destroyed:
            assert all(group != written for written, _ in writes), "its last write came before"
            hard_state = self._groups.alive[group].hard_state
            parts.append(records.encode_hard_state(group, hard_state, RecordType.DESTROYED))
            count += 1
        return count

    def _apply(
        self,
        writes: Sequence[GroupWrite],
        formed: Formed | None,
        destroyed: Sequence[GroupId],
        sequence: int,
    ) -> None:
        """Remember the batch, which stands in segment `sequence`."""
        self._formed = formed or self._formed
        for group, write in writes:
            state = self._groups.alive.get(group) or self._groups.create(group)
            if write.restart is not None:
                state.restart(write.restart)
            if write.hard_state is not None:
                state.hard_state = write.hard_state
            if write.entries:
                state.append(write.entries, sequence)
            if write.accepted is not None:
                state.accept(write.accepted)
            if write.compacted is not None:
                state.compact(write.compacted)
        for group in destroyed:
            self._groups.destroy(group)

    def _fail(self, effect: str, error: OSError) -> DiskFailed:
        self._failed = self._failed or _disk_failed(effect, error)
        return self._failed


def _disk_failed(effect: str, error: OSError) -> DiskFailed:
    return DiskFailed(
        effect,
        cause=str(error),
        next_step="check the disk and its free space, then start the node again; "
        "nothing that was acknowledged is lost",
    )
