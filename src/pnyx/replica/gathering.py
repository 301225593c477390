"""Whom the next batch waits for: clients that are about to be answered will ask again in a moment.

A commit answers one part of the clients while another part waits already. Proposing the second
part at once would split them for good into two halves that take turns, each batch half as large as
it could be. So after a commit a batch waits until it is as large as everybody who was answered or
waiting then, at most `wait_ms`, and `grace_ms` for the last few. Who comes alone is proposed at
once; and where they do not come back in time, the next commits do not wait for anybody.
"""

from dataclasses import dataclass
from typing import Final

from pnyx.replica.effects import NEVER

BATCH_REQUESTS_MAX: Final = 1_024
"""So many waiting requests are proposed although the batch before is not committed."""
LATE_SHARE: Final = 8
"""Of so many one may be late, and is waited for no longer than the grace: some always are."""
REST_COUNT_FIRST: Final = 16
"""Batches without gathering after one that waited in vain; twice as many after the next ..."""
REST_COUNT_MAX: Final = 1_024
"""... up to these. Clients that are busy with something else first will be so again."""


@dataclass(slots=True)
class Gathering:
    """The leader's of writes, or of reads, from one batch to the next."""

    wait_ms: int
    """0: never wait."""
    least: int = 1
    """Smaller batches are not worth waiting for."""
    grace_ms: int = 0
    """So long the last few are waited for when all others are there."""
    until_ms: int = NEVER
    """When waiting ends, on the monotone clock."""
    under_way: int = 0
    """Requests of batches that have left and are not done."""
    _expected: int = 0
    """The size of a batch that need not wait; 0 while nobody is waited for."""
    _nearly: int = 0
    """The same without those who may be late."""
    _all: int = 0
    """The same with them."""
    _resting: int = 0
    """Batches that wait for nobody."""
    _rest: int = REST_COUNT_FIRST
    """How many there are after the next that waits in vain."""

    def left(self, count: int) -> None:
        """A batch of so many requests is under way."""
        if self.wait_ms:
            self.under_way += count
            if self._expected:
                self._rest = REST_COUNT_FIRST
            self.end()

    def arrived(self, waiting: int, now_ms: int) -> None:
        """What was under way is done, and so many requests wait."""
        if self._resting:
            self._resting -= 1
        elif self.wait_ms and (count := self.under_way + waiting) >= self.least:
            self._expected = self._nearly = count - count // LATE_SHARE
            self._all = count
            self.until_ms = now_ms + self.wait_ms
        self.under_way = 0

    def look(self, waiting: int, now_ms: int) -> None:
        """So many requests wait: if they are nearly all, the rest has its grace."""
        if self.grace_ms and self._nearly <= waiting and self._expected < self._all:
            self._expected = self._all
            self.until_ms = min(self.until_ms, now_ms + self.grace_ms)

    def tick(self, now_ms: int, waiting: int) -> None:
        """Time has passed, and so many requests wait."""
        if now_ms >= self.until_ms:
            if 0 < waiting < self._nearly:
                self._resting = self._rest
                self._rest = min(2 * self._rest, REST_COUNT_MAX)
            self.end()

    def end(self) -> None:
        """Wait for nobody any more."""
        self._expected = self._nearly = self._all = 0
        self.until_ms = NEVER

    def enough(self, *, is_idle: bool) -> int:
        """How many requests make a batch that is to leave? `is_idle`: none is on its way."""
        # A batch is what arrived while the one before was on its way to a majority: half the
        # messages, syncs and wake-ups of proposing at once (decisions/0007).
        return min(self._expected, BATCH_REQUESTS_MAX) if is_idle else BATCH_REQUESTS_MAX
