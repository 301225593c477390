"""Whom the next batch waits for: clients that are about to be answered will ask again in a moment.

A commit answers one part of the clients while another part waits already. Proposing the second
part at once would split them for good into two halves that take turns, each batch half as large as
it could be. So after a commit a batch waits until it is as large as everybody who was answered or
waiting then, at most `wait_ms`. Who comes alone is proposed at once; and where those who were
answered do not come back in time, the next commits do not wait for anybody.
"""

from dataclasses import dataclass
from typing import Final

from pnyx.consensus.consensus import Consensus
from pnyx.replica.effects import NEVER

BATCH_REQUESTS_MAX: Final = 1_024
"""So many waiting requests are proposed although the batch before is not committed."""
REST_COUNT: Final = 16
"""Commits without gathering after one that waited in vain."""


@dataclass(slots=True)
class Gathering:
    """The leader's, from one batch to the next."""

    consensus: Consensus
    wait_ms: int
    """0: never wait."""
    until_ms: int = NEVER
    """When waiting ends, on the monotone clock."""
    under_way: int = 0
    """Requests that were proposed and are not committed."""
    _expected: int = 0
    """The size of a batch that need not wait; 0 while nobody is waited for."""
    _resting: int = 0

    def proposed(self, count: int) -> None:
        """A batch of so many requests was proposed."""
        if self.wait_ms:
            self.under_way += count
            self.end()

    @property
    def is_idle(self) -> bool:
        """Is no batch on its way?"""
        return self.consensus.commit_index == self.consensus.last_index

    def look(self, waiting: int, now_ms: int) -> None:
        """Notice that what was under way is committed; so many requests wait."""
        if not (self.under_way and self.is_idle):
            return
        if self._resting:
            self._resting -= 1
        else:
            self._expected = self.under_way + waiting
            self.until_ms = now_ms + self.wait_ms
        self.under_way = 0

    def tick(self, now_ms: int, waiting: int) -> None:
        """Time has passed, and so many requests wait."""
        if now_ms >= self.until_ms:
            if waiting:
                self._resting = REST_COUNT
            self.end()

    def end(self) -> None:
        """Wait for nobody any more."""
        self._expected = 0
        self.until_ms = NEVER

    def is_complete(self, waiting: int) -> bool:
        """Is a batch of so many requests to be proposed?"""
        # A batch is what arrived while the one before was on its way to a majority: half the
        # messages, syncs and wake-ups of proposing at once (decisions/0007).
        return (waiting >= self._expected and self.is_idle) or waiting >= BATCH_REQUESTS_MAX
