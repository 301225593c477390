"""Runs commands for the tasks of an asyncio client: numbers first, then the courier."""

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Any, Self

from pnyx.client.async_courier import Courier
from pnyx.client.command import Command
from pnyx.client.desk import ticks_ms, windows_full
from pnyx.client.errand import Call, numbered
from pnyx.client.ledger import OPEN, SESSIONS_MAX, Ledger
from pnyx.client.pipeline import chunks
from pnyx.client.settings import Settings
from pnyx.errors import PnyxError
from pnyx.transport.numbering import Number


class Runner:
    """What the methods of a client, its pipelines, transactions and locks run on."""

    def __init__(self, settings: Settings, courier: Courier, sessions_max: int) -> None:
        self.settings = settings
        self.courier = courier
        self._ledger = Ledger(sessions_max)
        self._changed = asyncio.Event()
        self._is_opening = False

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the runner of a new client; nothing is connected yet."""
        return cls(settings, Courier(settings), SESSIONS_MAX)

    def with_session(self) -> "Runner":
        """Return one with a session of its own, over the same connections."""
        return Runner(self.settings, self.courier, sessions_max=1)

    async def one(self, command: Command) -> Any:
        """Return a command's result, or raise its error."""
        return (await self.run((command,)))[0].outcome()

    async def run(self, queued: Sequence[Command]) -> list[Call]:
        """Carry out commands that leave together; each call has its result or error."""
        calls: list[Call] = []
        for piece in chunks(queued):
            calls += await self._run_piece(piece)
        return calls

    async def _run_piece(self, piece: Sequence[Command]) -> list[Call]:
        calls: list[Call] = []
        while piece:
            ends_s = monotonic() + self.settings.timeout_s
            wanted = self.settings.wanted(piece)
            try:
                numbers = await self._take(wanted, ends_s) if wanted else []
            except PnyxError as error:
                return calls + [Call.failed(command, error) for command in piece]
            part, piece = numbered(piece, numbers if wanted else None)
            try:
                await self.courier.carry_out(part, ends_s, self._ledger.ack)
            finally:
                self._ledger.settle(part, numbers)
                self._tell()
            calls += part
        return calls

    async def _take(self, count: int, ends_s: float) -> list[Number]:
        while True:
            now_s, now_ms = monotonic(), ticks_ms()
            missing = 0 if self._is_opening else self._ledger.missing(count, now_ms)
            if missing:
                await self._open(missing, ends_s)
                continue
            numbers = self._ledger.take(count, now_ms, int((ends_s - now_s) * 1000))
            if numbers:
                return numbers
            await self._wait(ends_s - now_s)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError as error:
            raise windows_full() from error

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _open(self, count: int, ends_s: float) -> None:
        asked_ms = ticks_ms()
        self._is_opening = True
        try:
            calls, _rest = numbered([OPEN] * count, None)
            await self.courier.carry_out(calls, ends_s, self._ledger.ack)
            for call in calls:
                self._ledger.opened(call.outcome(), asked_ms)
        finally:
            self._is_opening = False
            self._tell()
