"""When a node looks at its disk: once a second, and whenever the log has opened a segment.

Once a second alone would let a busy group fill what is left of a small disk between two looks.
"""

from dataclasses import dataclass
from typing import Final

from pnyx.ids import GroupId
from pnyx.storage.wal import Wal

SEGMENT_COUNT_MAX: Final = 6
"""The owner compacts the log, tail included, rather than keep more segments than this."""
SPACE_CHECK_MS: Final = 1_000
"""How often the free space, and what keeps old segments, are looked at in any case."""


@dataclass(frozen=True, slots=True)
class Sight:
    """How the disk is."""

    low: bool
    """Is there too little space to take new entries?"""
    urgent: tuple[GroupId, ...]
    """Groups whose log keeps more segments than it may."""


@dataclass(slots=True)
class Watch:
    """What was seen last of one log's disk."""

    _looked_ms: int = 0
    _opened: int = 0

    def look(self, wal: Wal, now_ms: int) -> Sight | None:
        """Return how the disk is when it is time to say so."""
        opened = wal.counters.opened
        if opened == self._opened and now_ms < self._looked_ms + SPACE_CHECK_MS:
            return None
        self._looked_ms, self._opened = now_ms, opened
        return Sight(wal.low_space(), wal.lagging(SEGMENT_COUNT_MAX))
