"""The ordered map of bytes that machines keep their state in.

Implementations: `MemorySpace` (storage/memory.py) for tests and the Lab, `RocksSpace`
(storage/rocks.py) for a node. Both lose writes that were not flushed when the process dies, so
the applied index stands in the same atomic write as the data it belongs to.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol


class Reader(Protocol):
    """Something that can be read in key order."""

    def get(self, key: bytes) -> bytes | None: ...

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield rows of ``start <= key < stop``, ascending, as they were when iteration began."""
        ...


class View(Reader, Protocol):
    """A consistent view: later writes do not show. Must be closed."""

    def close(self) -> None: ...


class Space(Reader, Protocol):
    """An ordered map with atomic writes."""

    def write(
        self, rows: Mapping[bytes, bytes | None], drops: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        """Atomically delete the ranges `drops`, then put `rows` (None deletes).

        Visible at once, durable only after `flush`.
        """
        ...

    def view(self) -> View: ...

    def flush(self) -> None:
        """Return when everything written before this call is durable. Safe in a worker thread."""
        ...

    def is_behind(self) -> bool:
        """Does it owe itself so much work that new writes should wait?"""
        ...

    def close(self) -> None: ...
