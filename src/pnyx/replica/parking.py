"""Requests that wait for a leader, before anything was proposed: parked, not refused.

During an election a client that is told to go away asks everybody again at once; one that is held
for a moment is answered by the new leader. First in, first out, and bounded in bytes and time.
"""

from collections import deque
from dataclasses import dataclass, field

from pnyx.machine.commands import Batch, encode
from pnyx.replica.requests import Request


@dataclass(slots=True)
class Parking:
    """The parked requests, each with its size in bytes."""

    bytes_max: int
    bytes_held: int = 0
    _requests: deque[tuple[Request, int]] = field(default_factory=deque)

    def park(self, request: Request) -> bool:
        """Hold `request`; False if the limit is reached."""
        size = len(encode(Batch(0, 0, tuple(request.commands))))
        if self.bytes_held + size > self.bytes_max:
            return False
        self.bytes_held += size
        self._requests.append((request, size))
        return True

    def take_all(self) -> list[Request]:
        """Return everything, oldest first: there may be a leader now."""
        taken = [request for request, _ in self._requests]
        self._requests.clear()
        self.bytes_held = 0
        return taken

    def take_overdue(self, now_ms: int) -> list[Request]:
        """Return those held for as long as a client can be expected to wait."""
        overdue = [request for request, _ in self._requests if request.until_ms <= now_ms]
        if overdue:
            kept = [
                (request, size) for request, size in self._requests if request.until_ms > now_ms
            ]
            self._requests = deque(kept)
            self.bytes_held = sum(size for _, size in kept)
        return overdue

    @property
    def deadline_ms(self) -> int | None:
        """When the first of them is overdue."""
        return min((request.until_ms for request, _ in self._requests), default=None)

    def __len__(self) -> int:
        """Return how many are parked."""
        return len(self._requests)
