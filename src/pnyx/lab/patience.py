"""Nobody waits for ever: every request that reaches a node is answered within its limits' sum."""

from collections import deque
from typing import Any, Final

from pnyx.lab.process import Process
from pnyx.lab.seat import Seat
from pnyx.lab.watch import Violation, Watch
from pnyx.replica.limits import ReplicaLimits
from pnyx.replica.requests import Answer, Request

SLACK_MS: Final = 500
"""Beyond what the limits add up to: retries and the steps of timers."""
INVARIANT: Final = "answered_in_time"


class Patience(Watch):
    """Looks, by a node's own clock, for requests that its replica has forgotten."""

    def __init__(self) -> None:
        self._open: dict[int, deque[tuple[int, int]]] = {}
        """By process: (when asked, request), oldest first; time that it stood still counts not."""
        self._tickets: dict[int, dict[int, Any]] = {}
        """Held, so that no id is used twice."""

    def submitted(self, process: Process, request: Request) -> None:
        """Begin to wait."""
        number = process.number
        self._open.setdefault(number, deque()).append((_lived_ms(process), id(request.ticket)))
        self._tickets.setdefault(number, {})[id(request.ticket)] = request.ticket

    def answered(self, process: Process, ticket: Any, answer: Answer) -> None:
        """Somebody's waiting is over."""
        self._tickets.get(process.number, {}).pop(id(ticket), None)

    def ended(self, process: Process, how: str) -> None:
        """Whoever waited for this life learns it from the broken connection."""
        self._open.pop(process.number, None)
        self._tickets.pop(process.number, None)

    def touched(self, seat: Seat) -> None:
        """Look at the oldest request that is open.

        Raises:
            Violation: it has been so for too long.
        """
        waiting = self._open.get(seat.number)
        if not waiting:
            return
        held, process = self._tickets[seat.number], seat.process
        while waiting and waiting[0][1] not in held:
            waiting.popleft()
        if not waiting:
            return
        most_ms = _most_ms(process, seat.replica.limits)
        waited_ms = _lived_ms(process) - waiting[0][0]
        if waited_ms > most_ms:
            raise Violation(
                INVARIANT,
                f"{process.label} has not answered {held[waiting[0][1]]} for {waited_ms} ms; its "
                f"limits allow {most_ms} ms",
            )


def _lived_ms(process: Process) -> int:
    return process.now().mono_ms - process.stood_ms


def _most_ms(process: Process, limits: ReplicaLimits) -> int:
    settings = process.world.raft
    # A read may wait for the barrier before its own; both end at a heartbeat.
    read_ms = 2 * (settings.election_ms_min + settings.heartbeat_ms)
    return limits.park_ms + max(limits.outcome_ms, read_ms) + SLACK_MS
