"""Commands that wait until a group serves their shards: parked, not refused.

A shard that is on its way is served by nobody for some milliseconds. Who comes then is held, first
in, first out on each connection (it has one run under way), and asked again for when the map of
owners changes. Nothing that waits here has been done, nor will be unless it is sent again.
"""

import asyncio
from typing import Final, Protocol

LOOK_SECONDS: Final = 0.002
"""How often the map of owners is looked at while somebody waits."""


class Parked(Protocol):
    """Whoever waits."""

    @property
    def size(self) -> int:
        """Bytes of its commands."""
        ...

    def look(self, now: float) -> bool:
        """Go on if that is possible by now, give up if it is too late; return whether it did."""
        ...


class Parking:
    """All that wait on one node, oldest first."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.bytes_held = 0
        self._waiting: dict[Parked, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def hold(self, parked: Parked) -> bool:
        """Let it wait; False if too much waits already."""
        if self.bytes_held + parked.size > self.bytes_max:
            return False
        self.bytes_held += parked.size
        self._waiting[parked] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)
        return True

    def forget(self, parked: Parked) -> None:
        """Nobody wants its answer any more."""
        if parked in self._waiting:
            del self._waiting[parked]
            self.bytes_held -= parked.size

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def _look(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        waiting, self._waiting, self.bytes_held = self._waiting, {}, 0
        for parked in waiting:
            # One that goes on may come back at once, behind the others.
            if not parked.look(now):
                self._waiting[parked] = None
                self.bytes_held += parked.size
        if self._waiting and self._timer is None:
            self._timer = loop.call_later(LOOK_SECONDS, self._look)
