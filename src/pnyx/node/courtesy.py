"""A node that nobody waits for lets others have the processor first.

On a machine that nodes share, what a follower was sent late (consensus/member/thrift.py) is much at
once. The scheduler lets it run, for it has slept until now, and keeps those waiting that stand
between a client and its answer and have used their share.
"""

import os
from typing import Final

from pnyx.node.settings import THRIFT_MS

COURTEOUS_MS: Final = 3 * THRIFT_MS
"""So long after it gave way a node offers the processor before each turn: until what was held back
from it has come a few times more."""


class Courtesy:
    """When one node's loop offers its processor."""

    def __init__(self) -> None:
        """It offers nothing yet."""
        self._until_ms = 0

    def give_way(self, now_ms: int) -> None:
        """Let others go first, for nobody waits for what is left to do; and for a while on."""
        self._until_ms = now_ms + COURTEOUS_MS
        os.sched_yield()

    def offer(self, now_ms: int) -> bool:
        """Let others go before a turn, if way was given lately; return whether time has passed."""
        if now_ms >= self._until_ms:
            return False
        os.sched_yield()
        return True
