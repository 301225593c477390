"""A directory in memory that forgets and fails on purpose, for tests and the Lab.

It promises what a disk promises and not a byte more: until a file is synced, a crash may keep, drop
or tear each 512-byte sector that was written, each on its own; until the directory is synced, a
crash may undo the newest name changes. A sync that failed has dropped its sectors, though they can
still be read until the crash: what the kernel's page cache does.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from errno import EIO, ENOENT, ENOSPC
from typing import Final, NamedTuple

from pnyx.prng import Prng
from pnyx.storage.files import OpenFile, Zeros

SECTOR_BYTES: Final = 512


class Step(StrEnum):
    """What can be done to the directory; what a fault is planted in."""

    CREATE = "create"
    WRITE = "write"
    SYNC = "sync"
    RENAME = "rename"
    UNLINK = "unlink"
    SYNC_DIRECTORY = "sync directory"


class Traced(NamedTuple):
    """One step that was carried out, enough to carry it out again."""

    step: Step
    name: str
    offset: int = 0
    """Of a write; the size of a create."""
    content: bytes = b""
    to: str = ""


@dataclass(slots=True)
class _Content:
    """A file: what is read, what a crash leaves at least, and which sectors are in between."""

    name: str
    visible: bytearray
    durable: bytearray
    pending: set[int] = field(default_factory=set)

    def copy(self) -> "_Content":
        return _Content(
            self.name, bytearray(self.visible), bytearray(self.durable), set(self.pending)
        )


class MemoryFiles:
    """`Files` with a crash."""

    def __init__(self, capacity_bytes: int = 1 << 30, *, kernel: bool = False) -> None:
        """Make an empty directory.

        Args:
            capacity_bytes: All files together hold at most so many.
            kernel: Give files a descriptor, so that the log drafts its batches, and keep no trace.
        """
        self.capacity_bytes = capacity_bytes
        self.kernel = kernel
        self.trace: list[Traced] = []
        self.before: Callable[[Step, str], None] | None = None
        """Called before each step: may raise an `OSError`, or take its time."""
        self.write_bytes_max: int | None = None
        """A write takes at most this many bytes, as a signal or a full disk may cause."""
        self._files: dict[str, _Content] = {}
        self._durable_names: dict[str, _Content] = {}
        self._renamings: list[dict[str, _Content]] = []
        """The directory after each change that is not durable, oldest first."""

    def names(self) -> list[str]:
        return sorted(self._files)

    def size(self, name: str) -> int:
        return len(self._file(name).visible)

    def read(self, name: str, offset: int, length: int) -> bytes:
        return bytes(self._file(name).visible[offset : offset + length])

    def create(self, name: str, size: int, zeros: Zeros = Zeros.AT_ONCE) -> None:  # noqa: ARG002
        # However they come about, zeros are zeros here.
        self.begin(Step.CREATE, name)
        assert name not in self._files, "a file is created once"
        room = min(size, self.free_bytes())
        self._files[name] = _Content(name, bytearray(room), bytearray(room))
        self._names_changed()
        if room < size:
            raise OSError(ENOSPC, "no space left on the simulated disk", name)
        self.note(Traced(Step.CREATE, name, size))

    def open(self, name: str) -> OpenFile:
        return MemoryFile(self, self._file(name))

    def rename(self, name: str, to: str) -> None:
        self.begin(Step.RENAME, name)
        file = self._files[to] = self._files.pop(name)
        file.name = to
        self._names_changed()
        self.note(Traced(Step.RENAME, name, to=to))

    def unlink(self, name: str) -> None:
        self.begin(Step.UNLINK, name)
        self._file(name)
        del self._files[name]
        self._names_changed()
        self.note(Traced(Step.UNLINK, name))

    def sync_directory(self) -> None:
        self.begin(Step.SYNC_DIRECTORY, "")
        self._durable_names = dict(self._files)
        self._renamings.clear()
        self.note(Traced(Step.SYNC_DIRECTORY, ""))

    def free_bytes(self) -> int:
        # A crash may bring back a file that was removed: more is held then than there is room for.
        held = sum(len(file.visible) for file in self._files.values())
        return max(0, self.capacity_bytes - held)

    def crash(self, prng: Prng) -> "MemoryFiles":
        """Return the disk as one crash may leave it. This one stays as it is."""
        states = [self._durable_names, *self._renamings]
        names = states[prng.below(len(states), "names")]
        left = MemoryFiles(self.capacity_bytes, kernel=self.kernel)
        for name, file in sorted(names.items()):
            content = _after_crash(file, prng)
            left._files[name] = _Content(name, content, bytearray(content))
        left._durable_names = dict(left._files)
        return left

    def copy(self) -> "MemoryFiles":
        """Return the disk as a process that was killed leaves it: everything written is there."""
        left = MemoryFiles(self.capacity_bytes, kernel=self.kernel)
        copies: dict[int, _Content] = {}

        def copied(names: dict[str, _Content]) -> dict[str, _Content]:
            return {name: copies.setdefault(id(file), file.copy()) for name, file in names.items()}

        left._files = copied(self._files)
        left._durable_names = copied(self._durable_names)
        left._renamings = [copied(names) for names in self._renamings]
        return left

    def damage(self, name: str, offset: int, content: bytes) -> None:
        """Replace durable bytes, as rot or a misdirected write does."""
        file = self._file(name)
        file.visible[offset : offset + len(content)] = content
        file.durable[offset : offset + len(content)] = content

    def again(self, traced: Traced) -> None:
        """Carry out a step of another directory's trace."""
        match traced.step:
            case Step.CREATE:
                self.create(traced.name, traced.offset)
            case Step.WRITE:
                self.open(traced.name).write(traced.offset, traced.content)
            case Step.SYNC:
                self.open(traced.name).sync()
            case Step.RENAME:
                self.rename(traced.name, traced.to)
            case Step.UNLINK:
                self.unlink(traced.name)
            case Step.SYNC_DIRECTORY:
                self.sync_directory()

    def _file(self, name: str) -> _Content:
        if name not in self._files:
            raise OSError(ENOENT, "no such simulated file", name)
        return self._files[name]

    def begin(self, step: Step, name: str) -> None:
        """Let a fault happen before `step`."""
        if self.before is not None:
            self.before(step, name)

    def note(self, traced: Traced) -> None:
        """Remember a step that was carried out."""
        if not self.kernel:
            self.trace.append(traced)

    def _names_changed(self) -> None:
        self._renamings.append(dict(self._files))


class MemoryFile:
    """One of them, open."""

    def __init__(self, files: MemoryFiles, content: _Content) -> None:
        self.descriptor = 0 if files.kernel else None
        self._files = files
        self._content = content

    def write(self, offset: int, content: bytes) -> int:
        self._files.begin(Step.WRITE, self._content.name)
        if self._files.write_bytes_max is not None:
            content = content[: self._files.write_bytes_max]
        end = offset + len(content)
        assert end <= len(self._content.visible), "segments are written in place, never grown"
        self._content.visible[offset:end] = content
        self._content.pending.update(range(offset // SECTOR_BYTES, -(-end // SECTOR_BYTES)))
        self._files.note(Traced(Step.WRITE, self._content.name, offset, content))
        return len(content)

    def sync(self) -> None:
        pending = self._content.pending
        try:
            self._files.begin(Step.SYNC, self._content.name)
        except OSError:
            pending.clear()
            raise
        # Batches are whole blocks, written one behind the other: mostly one run of sectors.
        start, stop = min(pending, default=0), max(pending, default=-1) + 1
        runs = [(start, stop)] if stop - start == len(pending) else [(n, n + 1) for n in pending]
        for start, stop in runs:
            place = slice(start * SECTOR_BYTES, stop * SECTOR_BYTES)
            self._content.durable[place] = self._content.visible[place]
        pending.clear()
        self._files.note(Traced(Step.SYNC, self._content.name))

    def close(self) -> None:
        pass


def failing(step: Step, count: int = 1, number: int = EIO) -> Callable[[Step, str], None]:
    """Return a `before` that fails the `count`-th `step` from now on with error `number`."""
    left = count

    def before(now: Step, name: str) -> None:
        nonlocal left
        if now is step:
            left -= 1
            if left == 0:
                raise OSError(number, f"injected into {step}", name)

    return before


def _after_crash(file: _Content, prng: Prng) -> bytearray:
    content = bytearray(file.durable)
    for sector in sorted(file.pending):
        start = sector * SECTOR_BYTES
        end = min(start + SECTOR_BYTES, len(content))
        match prng.below(4, "sectors"):
            case 0 | 1:
                content[start:end] = file.visible[start:end]
            case 2:
                torn = start + prng.below(end - start, "tears")
                content[start:torn] = file.visible[start:torn]
            case _:
                pass
    return content
