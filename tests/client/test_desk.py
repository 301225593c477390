"""What is a write told that gets no number in time?"""

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from pnyx.client import async_desk, desk
from pnyx.client.command import Command
from pnyx.client.errors import Timeout, Unavailable

PATIENCE_S = 0.2
REPLY = [b"f" * 32, 1_000_000, 3_600_000, 16]


def test_who_waited_for_a_session_that_nobody_could_open_does_not_blame_other_writes() -> None:
    shared = desk.Desk(1)
    asked, over = threading.Event(), threading.Event()

    def never(_opens: Sequence[Command], _ends_s: float) -> list[Any]:
        asked.set()
        over.wait()
        return []

    opener = threading.Thread(target=shared.take, args=(1, time.monotonic() + 0.2, never))
    opener.start()
    asked.wait()
    with pytest.raises(Unavailable, match="no node opened a session"):
        shared.take(1, time.monotonic() + PATIENCE_S, never)
    shared._ledger.opened(REPLY, desk.ticks_ms())
    over.set()
    opener.join()


def test_on_asyncio_who_waited_for_a_session_does_not_blame_other_writes() -> None:
    async def wait() -> None:
        shared = async_desk.Desk(1)

        async def never(_opens: Sequence[Command], _ends_s: float) -> list[Any]:
            return await asyncio.Event().wait()  # type: ignore[return-value]

        opener = asyncio.create_task(shared.take(1, time.monotonic() + PATIENCE_S, never))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="no node opened a session"):
            await shared.take(1, time.monotonic() + PATIENCE_S, never)
        opener.cancel()

    asyncio.run(wait())


def test_who_waited_for_others_writes_is_told_so() -> None:
    shared = desk.Desk(1)
    ends_s = time.monotonic() + PATIENCE_S
    assert len(shared.take(16, ends_s, lambda _opens, _ends_s: [REPLY])) == 16
    with pytest.raises(Timeout, match="too many others"):
        shared.take(1, ends_s, lambda _opens, _ends_s: [REPLY])
