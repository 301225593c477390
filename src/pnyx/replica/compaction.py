"""When to flush the space and how much of the log may then be dropped: by log bytes.

The space is flushed when enough applied log is not durable in it, so a restart replays little.
The log is compacted to a point that was flushed, keeping a tail for slow followers.
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
    _applied_bytes: int = 0
    _unflushed_bytes: int = 0
    _flushing: tuple[Index, int] | None = None
    _flushed: deque[tuple[Index, int]] = field(default_factory=deque)
    """(applied index, applied bytes) at each flush, oldest first."""

    def applied(self, log_bytes: int) -> None:
        """So many payload bytes were applied."""
        self._applied_bytes += log_bytes
        self._unflushed_bytes += log_bytes

    def wants_flush(self) -> bool:
        """Is a flush due, and none under way?"""
        return self._flushing is None and self._unflushed_bytes >= self.flush_log_bytes

    def flush_started(self, applied: Index) -> None:
        """The space is being flushed; it holds everything up to `applied`."""
        self._flushing = (applied, self._applied_bytes)
        self._unflushed_bytes = 0

    def flush_ended(self) -> None:
        """That flush is durable."""
        if self._flushing is not None:
            self._flushed.append(self._flushing)
            self._flushing = None

    def compactable(self, log_bytes: int) -> Index | None:
        """Return how far the log of `log_bytes` may be dropped now, or None if it need not be."""
        if log_bytes <= self.log_bytes_max:
            return None
        upto = None
        while self._flushed and self._applied_bytes - self._flushed[0][1] >= self.tail_bytes:
            upto, _ = self._flushed.popleft()
        return upto
