"""A directory of files as the write-ahead log needs it.

Rule 1: bytes are durable after `sync` of their file, a name after `sync_directory`, else nothing.
Rule 2: an `OSError` leaves here as it is. What it means is decided by the caller, who knows whether
somebody was going to be told that the write had happened.

Implementations: `DiskFiles` (storage/directory.py), and `MemoryFiles` (storage/simulated.py), which
forgets and fails on purpose.
"""

from enum import Enum, auto
from typing import Protocol


class Zeros(Enum):
    """How the zeros of a new file come about."""

    AT_ONCE = auto()
    """Written: a small sync that must also record that an extent is written from now on costs half
    as much again."""
    SPREAD = auto()
    """Written as well, in small pieces with pauses: nobody waits for them, and somebody syncs."""
    RESERVED = auto()
    """Not written, for large writes: to those the zeros cost as much as the writes themselves."""


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

    def create(self, name: str, size: int, zeros: Zeros = Zeros.AT_ONCE) -> None:
        """Make a file of `size` zeros, whole blocks, which are durable; its name is not yet."""
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
            raise takes_no_more(offset + written)
        written += taken


def takes_no_more(offset: int) -> OSError:
    """Return what to raise when a write was taken, but nothing of it."""
    return OSError(f"the file takes no more bytes at offset {offset}")
