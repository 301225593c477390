"""Requests that wait for a leader, before anything was proposed: parked, not refused.

During an election a client that is told to go away asks everybody again at once; one that is held
for a moment is answered by the new leader. First in, first out, and bounded in bytes and time.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from pnyx.machine.commands import Batch, encode
from pnyx.replica.effects import NEVER
from pnyx.replica.requests import Request


@dataclass(slots=True)
class Parking:
    """The parked requests."""

    bytes_max: int
    bytes_held: int = 0
    deadline_ms: int = NEVER
    """When the first of them is overdue."""
    _requests: deque[Request] = field(default_factory=deque)

    def park(self, request: Request) -> bool:
        """Hold `request`; False if the limit is reached."""
        size = request.size_bytes
        if not size:
            size = len(encode(Batch(0, 0, tuple(request.commands))))
            # Remembered: without a leader the same requests are parked again and again.
            request.size_bytes = size
        if self.bytes_held + size > self.bytes_max:
            return False
        self.bytes_held += size
        self._requests.append(request)
        self.deadline_ms = min(self.deadline_ms, request.until_ms)
        return True

    def take_all(self) -> list[Request]:
        """Return everything, oldest first: there may be a leader now."""
        taken = list(self._requests)
        self._hold(())
        return taken

    def take_overdue(self, now_ms: int) -> list[Request]:
        """Return those held for as long as a client can be expected to wait."""
        if now_ms < self.deadline_ms:
            return []
        overdue = [request for request in self._requests if request.until_ms <= now_ms]
        self._hold([request for request in self._requests if request.until_ms > now_ms])
        return overdue

    def _hold(self, requests: Sequence[Request]) -> None:
        self._requests = deque(requests)
        self.bytes_held = sum(request.size_bytes for request in requests)
        self.deadline_ms = min((request.until_ms for request in requests), default=NEVER)

    def __len__(self) -> int:
        """Return how many are parked."""
        return len(self._requests)
