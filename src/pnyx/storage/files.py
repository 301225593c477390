"""A directory of files as the write-ahead log needs it, and the real one.

Rule 1: bytes are durable after `sync` of their file, a name after `sync_directory`, else nothing.
Rule 2: an `OSError` leaves here as it is. What it means is decided by the caller, who knows whether
somebody was going to be told that the write had happened.

The other implementation, `MemoryFiles` (storage/simulated.py), forgets and fails on purpose.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

ZERO_BYTES: Final = 1024 * 1024
"""How much of a new file is zeroed and synced at a time: a bigger piece would make a concurrent
sync of the log wait behind it."""

_ZEROS: Final = bytes(ZERO_BYTES)


class OpenFile(Protocol):
    """A file that is written in place."""

    @property
    def descriptor(self) -> int | None:
        """The kernel's name for it, for writes past the page cache; None if it has none."""
        ...

    def write(self, offset: int, content: bytes) -> int:
        """Write at `offset` and return how many bytes were taken; possibly fewer than given."""
        ...

    def sync(self) -> None:
        """Return when everything written to this file is durable."""
        ...

    def close(self) -> None: ...


class Files(Protocol):
    """One flat directory."""

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""
        ...

    def size(self, name: str) -> int: ...

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`; fewer only where the file ends."""
        ...

    def create(self, name: str, size: int, *, reserved: bool = False) -> None:
        """Make a zero-filled file whose zeros are durable; its name is not until the directory is.

        Zeros are really written: a small sync that must also record that an extent is written
        from now on costs half as much again. `reserved` ones are not, for large writes: to those
        the zeros cost as much as the writes themselves.
        """
        ...

    def open(self, name: str) -> OpenFile: ...

    def rename(self, name: str, to: str) -> None: ...

    def unlink(self, name: str) -> None: ...

    def sync_directory(self) -> None:
        """Return when every create, rename and unlink so far is durable."""
        ...

    def free_bytes(self) -> int:
        """Return how much more this process may store here."""
        ...


def write_whole(file: OpenFile, offset: int, content: bytes) -> None:
    """Write all of `content`, however small the pieces the file takes.

    Raises:
        OSError: part of it may be written.
    """
    written = file.write(offset, content)
    while written < len(content):
        taken = file.write(offset + written, content[written:])
        if taken <= 0:
            raise OSError(f"the file takes no more bytes at offset {offset + written}")
        written += taken


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

    def create(self, name: str, size: int, *, reserved: bool = False) -> None:
        descriptor = os.open(self.path / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        file = _DiskFile(descriptor)
        try:
            if reserved:
                os.posix_fallocate(descriptor, 0, size)
                file.sync()
                return
            for offset in range(0, size, ZERO_BYTES):
                write_whole(file, offset, _ZEROS[: size - offset])
                file.sync()
        except OSError:
            # Else it would take what room is left on a full disk, and be of no use.
            self.unlink(name)
            raise
        finally:
            file.close()

    def open(self, name: str) -> OpenFile:
        path = self.path / name
        file = _DiskFile(os.open(path, os.O_WRONLY))
        with suppress(OSError):
            file.descriptor = os.open(path, os.O_WRONLY | os.O_DIRECT)
        return file

    def rename(self, name: str, to: str) -> None:
        (self.path / name).rename(self.path / to)

    def unlink(self, name: str) -> None:
        (self.path / name).unlink()

    def sync_directory(self) -> None:
        _sync_path(self.path)

    def free_bytes(self) -> int:
        return free_bytes(self.path)


class _DiskFile:
    def __init__(self, cached: int) -> None:
        self._cached = cached
        self.descriptor: int | None = None

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
