"""The ordered map of bytes in memory: what RocksDB promises, in a hundred lines.

For tests and the Lab. It forgets in a crash what was not flushed, as the real one does, and a view
or a scan in progress sees none of the writes after it began.
"""

from collections.abc import Iterator, Mapping, Sequence

from sortedcontainers import SortedDict

from pnyx.machine.space import View

_Rows = Mapping[bytes, bytes | None]
_Ranges = Sequence[tuple[bytes, bytes]]


class _Version:
    """One state of the map. Whoever reads it is counted; a counted version never changes."""

    def __init__(self, rows: "SortedDict[bytes, bytes]") -> None:
        self.rows = rows
        self.readers = 0

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        self.readers += 1
        return self._scan(start, stop)

    def _scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        try:
            for key in self.rows.irange(start, stop, inclusive=(True, False)):
                yield key, self.rows[key]
        finally:
            self.readers -= 1


class MemorySpace:
    """An ordered map with atomic writes, in memory."""

    def __init__(self) -> None:
        self._version = _Version(SortedDict())
        self._durable: SortedDict[bytes, bytes] = SortedDict()
        self._unflushed: list[tuple[dict[bytes, bytes | None], list[tuple[bytes, bytes]]]] = []

    def get(self, key: bytes) -> bytes | None:
        return self._version.rows.get(key)

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield rows of ``start <= key < stop``, ascending, as they were at this call."""
        return self._version.scan(start, stop)

    def write(self, rows: _Rows, drops: _Ranges = ()) -> None:
        """Atomically delete the ranges `drops`, then put `rows` (None deletes)."""
        if self._version.readers:
            self._version = _Version(self._version.rows.copy())
        _apply(self._version.rows, rows, drops)
        self._unflushed.append((dict(rows), list(drops)))

    @property
    def row_count(self) -> int:
        """How many rows there are, of all groups."""
        return len(self._version.rows)

    def view(self) -> View:
        return _MemoryView(self._version)

    def flush(self) -> None:
        """Make everything written so far survive a crash."""
        for rows, drops in self._unflushed:
            _apply(self._durable, rows, drops)
        self._unflushed.clear()

    def crash(self, kept: int = 0) -> "MemorySpace":
        """Return the map as a crash leaves it: what was flushed, and the first `kept` writes since.

        RocksDB may have flushed some of them on its own, always in order.
        """
        left = MemorySpace()
        left._version = _Version(self._durable.copy())
        for rows, drops in self._unflushed[:kept]:
            _apply(left._version.rows, rows, drops)
        left._durable = left._version.rows.copy()
        return left

    def is_behind(self) -> bool:
        return False

    def close(self) -> None:
        """Flush, as RocksDB does when it is closed in order."""
        self.flush()


class _MemoryView:
    """A version that stays as it is until `close`."""

    def __init__(self, version: _Version) -> None:
        self._version: _Version | None = version
        version.readers += 1

    def get(self, key: bytes) -> bytes | None:
        return self._held().rows.get(key)

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        return self._held().scan(start, stop)

    def close(self) -> None:
        if self._version is not None:
            self._version.readers -= 1
            self._version = None

    def _held(self) -> _Version:
        assert self._version is not None, "a view is not read after it was closed"
        return self._version


def _apply(held: "SortedDict[bytes, bytes]", rows: _Rows, drops: _Ranges) -> None:
    for start, stop in drops:
        for key in list(held.irange(start, stop, inclusive=(True, False))):
            del held[key]
    for key, value in rows.items():
        if value is None:
            held.pop(key, None)
        else:
            held[key] = value
