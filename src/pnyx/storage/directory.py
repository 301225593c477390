"""The files of a directory of the operating system."""

import os
import time
from contextlib import suppress
from errno import EINVAL
from mmap import mmap
from pathlib import Path
from typing import Final

from pnyx.storage.files import OpenFile, Zeros, takes_no_more

ZERO_BYTES: Final = 1024 * 1024
"""How much of a file that somebody waits for is zeroed at a time."""
SPREAD_BYTES: Final = 256 * 1024
"""And of one that nobody waits for: a sync of the log may have to wait behind so much."""
SPREAD_S: Final = 0.5
"""So long in all the disk is left to others, in equal pauses after each piece; not longer for a
larger file, for a node that stops waits for it."""

# Pages of their own, which O_DIRECT asks for; nobody writes them.
_ZEROS: Final = memoryview(mmap(-1, ZERO_BYTES))


def free_bytes(directory: Path) -> int:
    """Return how much more this process may store there."""
    disk = os.statvfs(directory)
    return disk.f_bavail * disk.f_frsize


class DiskFiles:
    """A directory of the operating system."""

    def __init__(self, path: Path) -> None:
        """Open `path`, making it (durably) if it is not there."""
        if not path.is_dir():
            path.mkdir(mode=0o700)
            _sync_path(path.parent)
        self.path = path

    def names(self) -> list[str]:
        return sorted(entry.name for entry in os.scandir(self.path) if entry.is_file())

    def size(self, name: str) -> int:
        return (self.path / name).stat().st_size

    def read(self, name: str, offset: int, length: int) -> bytes:
        with (self.path / name).open("rb", buffering=0) as file:
            file.seek(offset)
            pieces = []
            while length > 0 and (piece := file.read(length)):
                pieces.append(piece)
                length -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def create(self, name: str, size: int, zeros: Zeros = Zeros.AT_ONCE) -> None:
        path = self.path / name
        file = _DiskFile(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), path)
        try:
            if zeros is Zeros.RESERVED:
                file.reserve(size)
            else:
                file.fill(size, spread=zeros is Zeros.SPREAD)
        except OSError:
            # Else it would take what room is left on a full disk, and be of no use.
            self.unlink(name)
            raise
        finally:
            file.close()

    def open(self, name: str) -> OpenFile:
        path = self.path / name
        return _DiskFile(os.open(path, os.O_WRONLY), path)

    def rename(self, name: str, to: str) -> None:
        (self.path / name).rename(self.path / to)

    def unlink(self, name: str) -> None:
        (self.path / name).unlink()

    def sync_directory(self) -> None:
        _sync_path(self.path)

    def free_bytes(self) -> int:
        return free_bytes(self.path)


class _DiskFile:
    def __init__(self, cached: int, path: Path) -> None:
        self._cached = cached
        self.descriptor: int | None = None
        with suppress(OSError):
            self.descriptor = os.open(path, os.O_WRONLY | os.O_DIRECT)

    def reserve(self, size: int) -> None:
        os.posix_fallocate(self._cached, 0, size)
        self.sync()

    def fill(self, size: int, *, spread: bool) -> None:
        """Write zeros, past the page cache if that is possible: else a sync beside takes 10 ms."""
        descriptor = self._cached if self.descriptor is None else self.descriptor
        piece_bytes = SPREAD_BYTES if spread else ZERO_BYTES
        offset = 0
        while offset < size:
            try:
                taken = os.pwrite(descriptor, _ZEROS[: min(piece_bytes, size - offset)], offset)
            except OSError as error:
                if error.errno != EINVAL or descriptor == self._cached:
                    raise
                # Some file systems refuse only now.
                descriptor = self._cached
                continue
            if taken <= 0:
                raise takes_no_more(offset)
            offset += taken
            if spread:
                time.sleep(SPREAD_S * taken / size)
        self.sync()

    def write(self, offset: int, content: bytes) -> int:
        return os.pwrite(self._cached, content, offset)

    def sync(self) -> None:
        os.fdatasync(self._cached)

    def close(self) -> None:
        os.close(self._cached)
        if self.descriptor is not None:
            os.close(self.descriptor)


def _sync_path(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
