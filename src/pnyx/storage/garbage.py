"""When what lives in blob files is written anew, for the room of rows that are gone.

RocksDB's own rule goes by age: a compaction writes what it meets in the oldest files anew, garbage
or not. With large rows few keys make a table, so that each compaction would meet all of them
(decisions/0014).
"""

from typing import Final

GARBAGE_SHARE_MAX: Final = 0.33
"""With more of the blob files of rows that are gone, what lives in old ones is written anew ..."""
GARBAGE_SHARE_LOW: Final = 0.2
"""... until it is less than this."""
GARBAGE_BYTES_LEAST: Final = 256 * 1024 * 1024
"""Less is left alone."""
GARBAGE_AGE_SHARE: Final = 0.25
"""So many of the files are old: not all, for room comes back when all in a file has moved ..."""
GARBAGE_PATIENCE: Final = 8
"""... and twice as many if after so many flushes there is no less garbage: by itself RocksDB only
compacts a table when the oldest files have garbage, and the garbage may lie in younger ones."""


class Garbage:
    """The rule, and what it remembers."""

    def __init__(self) -> None:
        self.age_share = 0.0
        """Of the blob files, the oldest, whose rows compactions write anew; 0: they do not."""
        self._before = 0.0
        """The part of the blob files that was garbage `GARBAGE_PATIENCE` flushes ago ..."""
        self._flushes = 0
        """... or so many, since the share is this or since that was looked at."""

    def flushed(self, blobs: int, garbage: int) -> bool:
        """Take note of the bytes of all blob files and of rows in them that are gone.

        Returns:
            Is the share another now?
        """
        share = self.age_share
        limit = GARBAGE_SHARE_LOW if share else GARBAGE_SHARE_MAX
        if garbage <= max(GARBAGE_BYTES_LEAST, limit * blobs):
            self.age_share = 0.0
            return share > 0.0
        part = garbage / blobs
        self._flushes += 1
        if not share:
            self.age_share = GARBAGE_AGE_SHARE
        elif self._flushes < GARBAGE_PATIENCE:
            return False
        elif part >= self._before:
            self.age_share = min(2 * share, 1.0)
        self._before, self._flushes = part, 0
        return self.age_share != share
