"""When to flush the space and how much of the log may then be dropped: by log bytes.

The space is flushed when enough applied log is not durable in it, so a restart replays little.
The log is compacted to a point that a flush made durable, keeping a tail for slow followers; with
`urgent` (the disk needs the room) the tail goes, too.
"""

from collections import deque
from dataclasses import dataclass, field

from pnyx.ids import Index


@dataclass(slots=True)
class Compaction:
    """The bookkeeping of one replica."""

    flush_log_bytes: int
    """Flush when so many applied bytes of log are not durable in the space."""
    log_bytes_max: int
    """Compact when the log holds more."""
    tail_bytes: int
    """What is kept for followers that are a little behind."""
    urgent: bool = False
    """Compact whatever is flushed: the disk needs the room."""
    _is_asked: bool = False
    """Flush whatever is applied, once."""
    _is_ahead: bool = False
    """Is anything applied since the last flush began? The entry of a new leader has no bytes."""
    _applied_bytes: int = 0
    _unflushed_bytes: int = 0
    _flushing: dict[int, tuple[Index, int]] = field(default_factory=dict)
    """By number of the flush: what it covers, as (applied index, applied bytes)."""
    _flushed: deque[tuple[Index, int]] = field(default_factory=deque)
    """What ended flushes covered, oldest first."""

    def applied(self, log_bytes: int) -> None:
        """So many payload bytes were applied."""
        self._applied_bytes += log_bytes
        self._unflushed_bytes += log_bytes
        self._is_ahead = True

    def look(self, *, urgent: bool) -> None:
        """Somebody looked at the disk: does it need the room of the log?"""
        # One flush a look: with one after the other the disk and the processors would do little
        # else until the next.
        self.urgent = self._is_asked = urgent

    def wants_flush(self) -> bool:
        """Is a flush due, and none under way?"""
        if self._flushing:
            return False
        return self._unflushed_bytes >= self.flush_log_bytes or (self._is_asked and self._is_ahead)

    def flush_started(self, number: int, applied: Index) -> None:
        """That flush of the space begins; it holds everything up to `applied`."""
        self._flushing[number] = (applied, self._applied_bytes)
        self._unflushed_bytes = 0
        self._is_ahead = self._is_asked = False

    def flush_ended(self, number: int) -> None:
        """What that flush covers is durable, and nothing that another one still writes."""
        covered = self._flushing.pop(number)
        if not self._flushed or covered > self._flushed[-1]:
            self._flushed.append(covered)

    def compactable(self, log_bytes: int) -> Index | None:
        """Return how far the log of `log_bytes` may be dropped now, or None if it need not be."""
        if log_bytes <= self.log_bytes_max and not self.urgent:
            return None
        tail_bytes = 0 if self.urgent else self.tail_bytes
        upto = None
        for index, applied_bytes in self._flushed:
            if self._applied_bytes - applied_bytes < tail_bytes:
                break
            upto = index
        return upto

    def compacted(self, index: Index) -> None:
        """The log was dropped up to there, perhaps less than it might have been."""
        while self._flushed and self._flushed[0][0] <= index:
            self._flushed.popleft()
