"""When an idle leader lets committed time pass: only when keys are due.

A key expires when an entry's stamp says so. Writes bring stamps along; without them the leader
proposes a `Tick` for the next due key, and another while due keys are left (at most so many are
swept an entry).
"""

from dataclasses import dataclass

TICK_MS_MIN = 20
"""Two ticks are at least this far apart."""
TICK_MS_MAX = 1_000
"""A clock that was set forward is noticed at the latest after this."""


@dataclass(slots=True)
class Ticks:
    """The timer of one leader."""

    next_expiry_ms: int | None = None
    """Wall clock: when the first key of the index is due."""
    deadline_ms: int = 0
    """Monotonic: when to look again."""

    def due(self, estimate_ms: int, now_ms: int) -> bool:
        """Is a key due at the group's estimated time? Sets the deadline anew."""
        if self.next_expiry_ms is None or now_ms < self.deadline_ms:
            return False
        wait_ms = self.next_expiry_ms - estimate_ms
        self.deadline_ms = now_ms + min(max(wait_ms, TICK_MS_MIN), TICK_MS_MAX)
        return wait_ms <= 0

    def look(self, next_expiry_ms: int | None, now_ms: int) -> None:
        """The index has changed."""
        if next_expiry_ms is not None and next_expiry_ms != self.next_expiry_ms:
            self.deadline_ms = min(self.deadline_ms, now_ms + TICK_MS_MIN)
        self.next_expiry_ms = next_expiry_ms
