"""Hands numbers out to the tasks of an asyncio client; who finds all windows full waits.

Who is woken when: as the threads of a blocking client are (client/desk.py).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any, TypeAlias

from pnyx.client.command import Command
from pnyx.client.desk import not_opened, ticks_ms, windows_full
from pnyx.client.errand import Call
from pnyx.client.ledger import OPEN, Ledger
from pnyx.transport.numbering import Number

Ask: TypeAlias = Callable[[Sequence[Command], float], Awaitable[list[Any]]]


class Desk:
    """The sessions of one asyncio client."""

    def __init__(self, sessions_max: int) -> None:
        self._ledger = Ledger(sessions_max)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_opening = False

    def ack(self, number: Number) -> int:
        """Return what the session of `number` may acknowledge now."""
        return self._ledger.ack(number)

    async def take(self, count: int, ends_s: float, ask: Ask) -> list[Number]:
        """Return numbers for 1 to `count` writes, whose client gives up at `ends_s`.

        Raises:
            Timeout: the windows stayed full. Nothing was sent.
            Unavailable: no session could be opened. Nothing was sent.
        """
        try:
            while True:
                now_s, now_ms = monotonic(), ticks_ms()
                missing = self._ledger.missing(count, now_ms)
                if missing and not self._is_opening:
                    await self._open(missing, ends_s, ask)
                    continue
                numbers = self._ledger.take(count, now_ms, int((ends_s - now_s) * 1000))
                if numbers:
                    return numbers
                if not await self._changes(ends_s - now_s):
                    raise not_opened() if missing else windows_full()
        finally:
            if self._waiting:
                self._wake()

    def settle(self, calls: Sequence[Call], numbers: Sequence[Number]) -> None:
        """Take back the numbers of calls that are over, or given up."""
        self._ledger.settle(calls, numbers)
        if self._waiting:
            self._wake()

    async def _changes(self, seconds: float) -> bool:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except TimeoutError:
            return False
        finally:
            self._waiting.remove(waiter)
        return True

    def _wake(self) -> None:
        if not self._ledger.is_full(ticks_ms()):
            for waiter in self._waiting:
                if not waiter.done():
                    waiter.set_result(None)
                    return

    async def _open(self, count: int, ends_s: float, ask: Ask) -> None:
        asked_ms = ticks_ms()
        self._is_opening = True
        # What is too little for this one may be enough for another.
        self._wake()
        try:
            for reply in await ask([OPEN] * count, ends_s):
                self._ledger.opened(reply, asked_ms)
        finally:
            self._is_opening = False
