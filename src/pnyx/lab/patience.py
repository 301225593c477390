"""Nobody waits for ever: every request that reaches a node is answered within its limits' sum."""

from collections import deque
from typing import Any, Final

from pnyx.lab.process import Process
from pnyx.lab.watch import Violation, Watch
from pnyx.replica.requests import Answer, Request

SLACK_MS: Final = 500
"""Beyond what the limits add up to: retries and the steps of timers."""
INVARIANT: Final = "answered_in_time"


class Patience(Watch):
    """Looks, by a node's own clock, for requests that its replica has forgotten."""

    def __init__(self) -> None:
        self._open: dict[int, deque[tuple[int, int]]] = {}
        """By process: (when asked, request), oldest first."""
        self._tickets: dict[int, dict[int, Any]] = {}
        """Held, so that no id is used twice."""

    def submitted(self, process: Process, request: Request) -> None:
        """Begin to wait."""
        number = process.number
        self._open.setdefault(number, deque()).append((process.now().mono_ms, id(request.ticket)))
        self._tickets.setdefault(number, {})[id(request.ticket)] = request.ticket

    def answered(self, process: Process, ticket: Any, answer: Answer) -> None:
        """Somebody's waiting is over."""
        self._tickets.get(process.number, {}).pop(id(ticket), None)

    def ended(self, process: Process, how: str) -> None:
        """Whoever waited for this life learns it from the broken connection."""
        self._open.pop(process.number, None)
        self._tickets.pop(process.number, None)

    def touched(self, process: Process) -> None:
        """Look at the oldest request that is open.

        Raises:
            Violation: it has been so for too long.
        """
        waiting = self._open.get(process.number)
        if not waiting:
            return
        held = self._tickets[process.number]
        while waiting and waiting[0][1] not in held:
            waiting.popleft()
        if not waiting or process.replica is None:
            return
        limits = process.replica.limits
        most_ms = limits.park_ms + limits.outcome_ms + SLACK_MS
        waited_ms = process.now().mono_ms - waiting[0][0]
        if waited_ms > most_ms:
            raise Violation(
                INVARIANT,
                f"{process.label} has not answered {held[waiting[0][1]]} for {waited_ms} ms; its "
                f"limits allow {most_ms} ms",
            )
