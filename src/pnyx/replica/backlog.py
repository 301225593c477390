"""What is committed and not applied yet, and what goes before applying it.

The leader waits for a follower's acknowledgement, nobody for what a follower applies. So entries
that are committed while the follower's log is being synced are applied when that is done and said,
or `LAG_MS` later if the disk takes its time. A read waits for no sync.

They are applied in pieces: on a machine that nodes share, whoever is on a client's way must not
wait behind a follower that has much to apply.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pnyx.consensus.consensus import Consensus
from pnyx.consensus.ready import Entry, Role
from pnyx.replica.effects import NEVER

LAG_MS: Final = 2
"""A follower whose log is being synced applies what is committed so much later at most."""

PIECE_BYTES: Final = 8 * 1024
PIECE_COUNT: Final = 4
"""Of entries: what they take to apply, some 0.1 ms, is less than a client waits for anything."""


@dataclass(slots=True)
class Backlog:
    """One replica's, oldest entry first; consensus counts them as taken."""

    entries: deque[Entry] = field(default_factory=deque)
    _due_ms: int = NEVER

    def add(self, entries: Sequence[Entry], now_ms: int) -> None:
        """Those were committed next."""
        if not self.entries:
            self._due_ms = now_ms + LAG_MS
        self.entries.extend(entries)

    def take(self) -> list[Entry]:
        """Return the next piece of them, to be applied now."""
        taken: list[Entry] = []
        size = 0
        while self.entries and len(taken) < PIECE_COUNT and size < PIECE_BYTES:
            entry = self.entries.popleft()
            taken.append(entry)
            size += len(entry.payload)
        return taken

    def is_due(self, consensus: Consensus, now_ms: int, *, for_reads: bool = False) -> bool:
        """Is there something to apply, and nothing to wait for? `for_reads`: some wait for it."""
        return bool(self.entries) and (
            for_reads
            or consensus.durable_index == consensus.last_index
            or consensus.role is Role.LEADER
            or now_ms >= self._due_ms
        )

    @property
    def deadline_ms(self) -> int:
        """When what is there is due whatever the disk does."""
        return self._due_ms if self.entries else NEVER
