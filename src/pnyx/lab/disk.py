"""One node's disk: the bytes under the real log and the rows of the space, with time and faults.

A sync takes its time and may be slow, hang or fail; a crash leaves of what was not synced whatever
a disk may leave (storage/simulated.py). The log's group commit is here as in node/batching.py: one
batch under way, and what collects meanwhile is the next.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pnyx.consensus.formation import Formed
from pnyx.lab.chance import Chance
from pnyx.lab.timeline import Timeline
from pnyx.prng import Prng
from pnyx.storage.files import write_whole
from pnyx.storage.memory import MemorySpace
from pnyx.storage.simulated import MemoryFiles, Step
from pnyx.storage.wal import Draft, GroupWrite, Wal, WalSettings

_KIB: Final = 1024
WAL_SETTINGS: Final = WalSettings(
    segment_bytes=320 * _KIB, first_segment_bytes=32 * _KIB, reserve_bytes=64 * _KIB
)
"""Small, so that segments are switched and removed in seconds of simulated time."""
CAPACITY_BYTES: Final = 1 << 30


class PowerCut(Exception):
    """The power failed in the middle of a step of the disk."""


@dataclass(slots=True)
class DiskTimes:
    """How long a disk takes, microseconds."""

    sync_us: int = 300
    sync_jitter_us: int = 200
    """Mean of an exponential share on top."""
    flush_us: int = 2_000


class Disk:
    """What survives a process."""

    def __init__(self, place: int, chance: Chance, times: DiskTimes) -> None:
        self.place = place
        self.times = times
        self.files = MemoryFiles(CAPACITY_BYTES, kernel=True)
        self.space = MemorySpace()
        self.segments = WAL_SETTINGS
        """Of the log; changed before the first start only."""
        self.slowness = 1.0
        """Every sync and flush takes so many times as long."""
        self.hung = False
        """Syncs do not end until this is over."""
        self.error: int | None = None
        """The error number that the next syncs and writes end with."""
        self.cut_after: int | None = None
        """The power fails in so many steps of the disk from now."""
        self.crashes = 0
        self._chance = chance
        self._syncs = 0
        self._watch()

    def sync_time_us(self) -> int:
        """Return how long the next sync takes."""
        self._syncs += 1
        times = self.times
        jitter = self._chance.exponential(times.sync_jitter_us, "sync", self.place, self._syncs)
        return int((times.sync_us + jitter) * self.slowness)

    def lose_power(self) -> None:
        """Leave what a disk may leave when the power fails."""
        self.crashes += 1
        where = (self.place, self.crashes)
        self.files = self.files.crash(Prng(self._chance.seed("torn", *where)))
        kept = self._chance.below(16, "kept", *where)
        self.space = self.space.crash(kept if self._chance.hit(0.5, "keeps", *where) else 0)
        self._watch()

    def lose_process(self) -> None:
        """Leave what a killed process leaves: the page cache survives it, its memory does not."""
        self.crashes += 1
        where = (self.place, self.crashes)
        self.files = self.files.copy()
        kept = self._chance.below(16, "kept", *where)
        self.space = self.space.crash(kept if self._chance.hit(0.5, "keeps", *where) else 0)
        self._watch()

    def wipe(self) -> None:
        """Be a new, empty disk."""
        self.files = MemoryFiles(CAPACITY_BYTES, kernel=True)
        self.space = MemorySpace()
        self._watch()

    def _watch(self) -> None:
        self.cut_after = None
        self.files.before = self._before

    def _before(self, step: Step, _name: str) -> None:
        if self.cut_after is not None:
            self.cut_after -= 1
            if self.cut_after < 0:
                raise PowerCut
        if self.error is not None and step in {Step.SYNC, Step.WRITE, Step.CREATE}:
            raise OSError(self.error, f"injected into {step}")


class GroupCommit:
    """The log of one life of a process: at most one batch is under way."""

    def __init__(
        self,
        disk: Disk,
        wal: Wal,
        timeline: Timeline,
        ended: Callable[["GroupCommit", int], None],
    ) -> None:
        """Start with nothing under way; `ended` is called with this and the `number`."""
        self.wal = wal
        self.number = 0
        """Of the newest sync; one that a hang overtook has an older one."""
        self._disk = disk
        self._timeline = timeline
        self._ended = ended
        self._collecting: list[GroupWrite] = []
        self._formed: Formed | None = None
        self._under_way: tuple[list[GroupWrite], Formed | None] | None = None
        self._draft: Draft | None = None

    def add(self, write: GroupWrite) -> None:
        """Put `write` into the next batch."""
        self._collecting.append(write)

    def record(self, formed: Formed) -> None:
        """Put a formation record into the next batch."""
        self._formed = formed

    def start(self) -> None:
        """Write the next batch, unless one is under way or there is nothing to write.

        Raises:
            DiskFailed: the disk refused it.
            PowerCut: as planned.
        """
        if self._under_way is not None or not (self._collecting or self._formed):
            return
        writes, formed = self._under_way = self._collecting, self._formed
        self._collecting, self._formed = [], None
        draft = self._draft = self.wal.draft(writes, formed)
        if draft is not None:
            try:
                write_whole(*draft)
            except OSError as error:
                raise self.wal.write_failed(error) from error
        if not self._disk.hung:
            self._plan()

    def resume(self) -> None:
        """The disk is as fast as it was, and what it is at begins anew."""
        if self._under_way is not None:
            self._plan()

    def finish(self) -> tuple[list[GroupWrite], Formed | None]:
        """Sync the batch under way and return what is durable now.

        Raises:
            DiskFailed: nothing of it may be acknowledged.
            PowerCut: as planned.
        """
        assert self._under_way is not None, "only a batch under way ends"
        writes, formed = self._under_way
        if self._draft is None:
            self.wal.append(writes, formed)
        else:
            try:
                self._draft.file.sync()
            except OSError as error:
                raise self.wal.write_failed(error) from error
            self.wal.written()
        self._under_way = None
        return writes, formed

    def tend_segments(self) -> None:
        """Make the log's next segment, and remove what it has outlived, if it wants that."""
        if self.wal.wants_spare():
            self.wal.make_spare()
        if self.wal.wants_removal():
            self.wal.remove_segments()

    def _plan(self) -> None:
        self.number += 1
        delay_us = self._disk.sync_time_us()
        self._timeline.after_us(
            delay_us, "synced", self._disk.place, self._ended, self, self.number
        )
