"""Writes on their way to the log: waiting for the commit before, for each other, for the space."""

from dataclasses import dataclass, field
from typing import Final

from pnyx.consensus.consensus import Consensus
from pnyx.replica.effects import NEVER
from pnyx.replica.gathering import Gathering
from pnyx.replica.requests import Request

GRACE_MS: Final = 1
"""For the last few of a batch: who comes comes that soon, and without them it is a tenth less."""


@dataclass(slots=True)
class Writes:
    """The writes of one replica that nobody has proposed, oldest first."""

    consensus: Consensus
    gathering: Gathering
    waiting: list[Request] = field(default_factory=list)
    held: bool = False
    """The space cannot keep up: what comes waits, and is refused after a while."""

    def look(self, now_ms: int) -> None:
        """Notice that all that was proposed is committed, or that nearly all writes are here."""
        if self.gathering.under_way and self._is_idle:
            self.gathering.arrived(len(self.waiting), now_ms)
        self.gathering.look(len(self.waiting), now_ms)

    @property
    def may_leave(self) -> bool:
        """Are there writes, and is nothing to be waited for?"""
        return bool(self.waiting) and self.awaited <= 0

    @property
    def awaited(self) -> int:
        """How many more must come for all to leave: till then they wait for those, or a commit."""
        is_idle = self._is_idle
        if not self.waiting and is_idle:
            return 0
        return NEVER if self.held else self.gathering.enough(is_idle=is_idle) - len(self.waiting)

    def take(self) -> list[Request]:
        """Return all of them: they are proposed now, or cannot be here."""
        taken, self.waiting = self.waiting, []
        return taken

    def tick(self, now_ms: int) -> None:
        """Time has passed."""
        self.gathering.tick(now_ms, len(self.waiting))

    def take_overdue(self, now_ms: int) -> list[Request]:
        """Return those that have waited for too long."""
        overdue: list[Request] = []
        while self.waiting and self.waiting[0].until_ms <= now_ms:
            overdue.append(self.waiting.pop(0))
        return overdue

    @property
    def deadline_ms(self) -> int:
        """When the oldest is overdue, or all have waited for others long enough."""
        if not self.waiting:
            return NEVER
        return min(self.waiting[0].until_ms, self.gathering.until_ms)

    @property
    def _is_idle(self) -> bool:
        return self.consensus.commit_index == self.consensus.last_index
