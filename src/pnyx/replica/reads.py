"""Reads on their way: waiting for a barrier, for its index, for apply.

One barrier is under way at a time; reads that arrive meanwhile share the next one (Raft §8,
dissertation §6.4). A read must not join a barrier that was asked for before the read arrived: the
index that comes back may be older than a write its client has already seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pnyx.ids import Index
from pnyx.replica.effects import NEVER
from pnyx.replica.gathering import Gathering
from pnyx.replica.requests import Request

GATHER_MS_MAX: Final = 2
"""A barrier costs less than a commit: it waits no longer for those who were just answered ..."""
GATHER_COUNT_LEAST: Final = 16
"""... and for nobody where they are few."""


@dataclass(slots=True)
class Reads:
    """The reads of one replica whose answers are open, oldest first in each stage."""

    gathering: Gathering
    waiting: list[Request] = field(default_factory=list)
    _barrier: int = 0
    """The ticket of the barrier under way or of the last one."""
    _asking: list[Request] | None = None
    """The reads behind the barrier under way; None if there is no barrier."""
    confirmed: list[tuple[Index, list[Request]]] = field(default_factory=list)

    def add(self, requests: Sequence[Request]) -> None:
        """Take in reads."""
        for request in requests:
            if request.stale:
                # Released at once: any applied state will do.
                self.confirmed.append((Index(0), [request]))
            else:
                self.waiting.append(request)

    @property
    def wants_barrier(self) -> bool:
        """Are there reads, all that are waited for, and no barrier under way?"""
        return bool(self.waiting) and self.awaited <= 0

    @property
    def awaited(self) -> int:
        """How many more must come for all to leave: till then they wait for those or a barrier."""
        if self._asking is not None:
            return NEVER
        return self.gathering.enough(is_idle=True) - len(self.waiting) if self.waiting else 0

    def start_barrier(self) -> int:
        """Put all waiting reads behind a new barrier and return its ticket."""
        self._barrier += 1
        self.gathering.left(len(self.waiting))
        self._asking = self.waiting
        self.waiting = []
        return self._barrier

    def released(self, ticket: int, index: Index, now_ms: int) -> None:
        """The barrier came back: its reads wait for `index` to be applied."""
        if ticket == self._barrier and self._asking is not None:
            self.gathering.arrived(len(self.waiting), now_ms)
            self.confirmed.append((index, self._asking))
            self._asking = None

    def refused(self, ticket: int) -> list[Request]:
        """The barrier was refused: return its reads, which may be tried again."""
        if ticket != self._barrier or self._asking is None:
            return []
        asked, self._asking = self._asking, None
        self.gathering.under_way = 0
        return asked

    def tick(self, now_ms: int) -> None:
        """Time has passed."""
        self.gathering.tick(now_ms, len(self.waiting))

    def servable(self, applied: Index) -> list[Request]:
        """Return the reads whose index is applied."""
        servable: list[Request] = []
        later: list[tuple[Index, list[Request]]] = []
        for index, requests in self.confirmed:
            if index <= applied:
                servable.extend(requests)
            else:
                later.append((index, requests))
        self.confirmed = later
        return servable

    def take_overdue(self, now_ms: int) -> list[Request]:
        """Return the released reads whose index was not applied in time (a disk that hangs)."""
        overdue: list[Request] = []
        while self.confirmed and self.confirmed[0][1][0].until_ms <= now_ms:
            overdue += self.confirmed.pop(0)[1]
        return overdue

    @property
    def deadline_ms(self) -> int:
        """When the oldest released read is overdue, or a read has waited for others long enough."""
        overdue_ms = self.confirmed[0][1][0].until_ms if self.confirmed else NEVER
        return min(overdue_ms, self.gathering.until_ms) if self.waiting else overdue_ms

    def take_all(self) -> list[Request]:
        """Return every open read: the replica stops."""
        taken = [request for _, requests in self.confirmed for request in requests]
        taken += self._asking or []
        taken += self.waiting
        self.confirmed, self._asking, self.waiting = [], None, []
        return taken
