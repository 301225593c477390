"""Hands numbers out to the threads of a blocking client; who finds all windows full waits.

While a write could get a number or open a session, one of those that wait is awake: numbers that
come back wake one, so does the end of an opening, and whoever leaves, with numbers or an error,
wakes the next if something is left. So no wake-up is lost with one that gives up, and no herd runs
for one number.
"""

import threading
from collections.abc import Callable, Sequence
from time import CLOCK_BOOTTIME, clock_gettime_ns, monotonic
from typing import Any

from pnyx.client.command import Command
from pnyx.client.errand import Call
from pnyx.client.errors import Timeout, Unavailable
from pnyx.client.forks import forget_in_children
from pnyx.client.ledger import OPEN, Ledger
from pnyx.transport.numbering import Number

Ask = Callable[[Sequence[Command], float], list[Any]]


class Desk:
    """The sessions of one blocking client."""

    def __init__(self, sessions_max: int) -> None:
        self._sessions_max = sessions_max
        self._start()
        forget_in_children(self)

    def forget(self) -> None:
        """Start anew in a forked child: the numbers belong to the process that it came from."""
        self._start()

    def _start(self) -> None:
        self._ledger = Ledger(self._sessions_max)
        # Entered as it is: a condition's own way in is Python, and each write comes here twice.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._waiting = 0
        self._is_opening = False

    def ack(self, number: Number) -> int:
        """Return what the session of `number` may acknowledge now."""
        return self._ledger.ack(number)

    def take(self, count: int, ends_s: float, ask: Ask) -> list[Number]:
        """Return numbers for 1 to `count` writes, whose client gives up at `ends_s`.

        Raises:
            Timeout: the windows stayed full. Nothing was sent.
            Unavailable: no session could be opened. Nothing was sent.
        """
        with self._lock:
            try:
                while True:
                    now_s, now_ms = monotonic(), ticks_ms()
                    missing = self._ledger.missing(count, now_ms)
                    if missing and not self._is_opening:
                        break
                    numbers = self._ledger.take(count, now_ms, int((ends_s - now_s) * 1000))
                    if numbers:
                        return numbers
                    if not self._changes(ends_s - now_s) and monotonic() >= ends_s:
                        raise not_opened() if missing else windows_full()
            finally:
                if self._waiting:
                    self._wake()
            self._is_opening = True
        self._open(missing, ends_s, ask)
        return self.take(count, ends_s, ask)

    def settle(self, calls: Sequence[Call], numbers: Sequence[Number]) -> None:
        """Take back the numbers of calls that are over, or given up."""
        with self._lock:
            self._ledger.settle(calls, numbers)
            if self._waiting:
                self._wake()

    def _changes(self, seconds: float) -> bool:
        self._waiting += 1
        try:
            return self._changed.wait(max(seconds, 0))
        finally:
            self._waiting -= 1

    def _wake(self) -> None:
        if not self._ledger.is_full(ticks_ms()):
            self._changed.notify()

    def _open(self, count: int, ends_s: float, ask: Ask) -> None:
        asked_ms = ticks_ms()
        replies: list[Any] = []
        try:
            replies = ask([OPEN] * count, ends_s)
        finally:
            with self._lock:
                self._is_opening = False
                for reply in replies:
                    self._ledger.opened(reply, asked_ms)
                self._wake()


def ticks_ms() -> int:
    """Return ms on a clock that goes on while the machine sleeps, for deadlines of other clocks."""
    return clock_gettime_ns(CLOCK_BOOTTIME) // 1_000_000


def windows_full() -> Timeout:
    """Return the error of a write that got no number in time."""
    return Timeout(
        "the write was not sent: too many others of this client wait for their answers",
        outcome="not_applied",
        next_step="write less at the same time, or connect once more",
    )


def not_opened() -> Unavailable:
    """Return the error of a write that waited for a session that another one was to open."""
    return Unavailable(
        "the write was not sent: no node opened a session in time",
        next_step="try again; `pnyx health` shows which nodes are up",
    )
