"""Rows that were read or written lately, as the database has them: most reads end here.

To look a row up in RocksDB costs several times what all else that a SET needs of its key does.
"""

from collections.abc import Iterable, Mapping
from typing import Final

RECENT_COUNT_MAX: Final = 128 * 1024
"""Rows of one generation, some 250 bytes each beside their own."""
RECENT_BYTES_MAX: Final = 32 * 1024 * 1024
"""Of keys and rows in one generation, which is full when half of it is no row that was replaced."""
RECENT_ROW_BYTES_MAX: Final = 1024
"""Larger rows are not kept, nor are rows written together that are larger on average."""
UNKNOWN: Final = b"not a row"
"""Known by its identity: None says that there is no row."""


class RecentRows:
    """Two generations: when the young one is full the old one goes, and the young is the old."""

    __slots__ = ("_bytes", "old", "young")

    def __init__(self) -> None:
        self.young: dict[bytes, bytes | None] = {}
        """By key; None where the database has no row."""
        self.old: dict[bytes, bytes | None] = {}
        """The same, for keys that are not in `young`."""
        self._bytes = 0
        """Of `young`, at most: what was replaced since the last count is counted with it."""

    def read(self, key: bytes, row: bytes | None) -> None:
        """Remember what the database has there."""
        size = len(key) + (0 if row is None else len(row))
        if size <= RECENT_ROW_BYTES_MAX:
            self.young[key] = row
            self._grown(size)

    def written(self, rows: Mapping[bytes, bytes | None], size: int) -> None:
        """Remember what was put and deleted (None) together, `size` bytes in all."""
        if size <= RECENT_ROW_BYTES_MAX * len(rows):
            self.young.update(rows)
            self._grown(size)
        else:
            self._forget(rows)

    def clear(self) -> None:
        """Forget everything."""
        self.young, self.old, self._bytes = {}, {}, 0

    def _forget(self, keys: Iterable[bytes]) -> None:
        for key in keys:
            self.young.pop(key, None)
            self.old.pop(key, None)

    def _grown(self, size: int) -> None:
        self._bytes += size
        if len(self.young) > RECENT_COUNT_MAX or (
            self._bytes > RECENT_BYTES_MAX and self._counted() > RECENT_BYTES_MAX // 2
        ):
            self.young, self.old, self._bytes = {}, self.young, 0

    def _counted(self) -> int:
        # What took another's place was counted as well: a generation that is written again and
        # again would be put away with all that is in use. It takes some 6 ms.
        rows = filter(None, self.young.values())
        self._bytes = sum(map(len, self.young)) + sum(map(len, rows))
        return self._bytes
