"""What is a write told that gets no number in time?"""

import asyncio
import select
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pnyx.client import async_desk, commands, desk
from pnyx.client.command import Command
from pnyx.client.errand import Call
from pnyx.client.errors import SessionExpired, Timeout, Unavailable
from pnyx.transport.verdict import Trail

PATIENCE_S = 0.2
LONG_S = 30.0
"""So long that who waits it out was forgotten."""
WRITERS = 60
TURNS = 50
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

        opener = asyncio.create_task(shared.take(1, time.monotonic() + PATIENCE_S, _never))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="no node opened a session"):
            await shared.take(1, time.monotonic() + PATIENCE_S, _never)
        opener.cancel()

    asyncio.run(wait())


def test_who_waited_for_others_writes_is_told_so() -> None:
    shared = desk.Desk(1)
    ends_s = time.monotonic() + PATIENCE_S
    assert len(shared.take(16, ends_s, lambda _opens, _ends_s: [REPLY])) == 16
    with pytest.raises(Timeout, match="too many others"):
        shared.take(1, ends_s, lambda _opens, _ends_s: [REPLY])


def test_all_threads_that_wait_get_the_numbers_that_come_back_at_once() -> None:
    shared = desk.Desk(1)
    ends_s = time.monotonic() + LONG_S
    numbers = shared.take(16, ends_s, _opened)
    with ThreadPoolExecutor(16) as pool:
        waiting = [pool.submit(shared.take, 1, ends_s, _opened) for _ in range(16)]
        _until_so_many_wait(shared, 16)
        shared.settle((), numbers)
        assert [len(each.result(LONG_S)) for each in waiting] == [1] * 16


@pytest.mark.parametrize("fails", [False, True])
def test_all_threads_that_wait_for_an_opening_go_on_whatever_comes_of_it(*, fails: bool) -> None:
    shared = desk.Desk(1)
    asked, over = threading.Event(), threading.Event()

    def slow(opens: Sequence[Command], ends_s: float) -> list[Any]:
        asked.set()
        over.wait(LONG_S)
        if fails:
            raise Unavailable("no node answered")
        return _opened(opens, ends_s)

    ends_s = time.monotonic() + LONG_S
    with ThreadPoolExecutor(5) as pool:
        opener = pool.submit(shared.take, 1, ends_s, slow)
        asked.wait(LONG_S)
        waiting = [pool.submit(shared.take, 1, ends_s, _opened) for _ in range(4)]
        _until_so_many_wait(shared, 4)
        over.set()
        assert [len(each.result(LONG_S)) for each in waiting] == [1] * 4
        assert isinstance(opener.exception(), Unavailable) == fails


def test_of_many_threads_at_full_windows_none_is_forgotten_though_others_give_up() -> None:
    shared = desk.Desk(1)
    ends_s = time.monotonic() + LONG_S

    def write(seed: int) -> int:
        done = 0
        for _ in range(TURNS):
            patience_s = 0.0005 if seed % 3 == 0 else LONG_S
            try:
                numbers = shared.take(seed % 4 + 1, time.monotonic() + patience_s, _opened)
            except (Timeout, Unavailable):
                continue
            # Others run meanwhile, and find the windows full.
            select.select([], [], [], 0)
            shared.settle((), numbers)
            done += 1
        return done

    with ThreadPoolExecutor(WRITERS) as pool:
        done = list(pool.map(write, range(WRITERS), timeout=LONG_S))
    assert time.monotonic() < ends_s
    assert {done[seed] for seed in range(WRITERS) if seed % 3} == {TURNS}


def test_of_many_tasks_at_full_windows_none_is_forgotten_though_others_give_up() -> None:
    async def write(shared: async_desk.Desk, seed: int) -> None:
        for turn in range(TURNS):
            patience_s = 0.0005 if seed % 3 == 0 else LONG_S
            try:
                async with asyncio.timeout(0.0003 if seed % 3 == 1 and turn % 2 else None):
                    ends_s = time.monotonic() + patience_s
                    numbers = await shared.take(seed % 4 + 1, ends_s, _opened_later)
            except (Timeout, Unavailable, TimeoutError):
                assert seed % 3 != 2, "who has patience and is not cancelled gets a number"
                continue
            await asyncio.sleep(0)
            shared.settle((), numbers)

    async def run() -> None:
        shared = async_desk.Desk(1)
        async with asyncio.timeout(LONG_S):
            await asyncio.gather(*(write(shared, seed) for seed in range(WRITERS)))
        assert not shared._waiting

    asyncio.run(run())


def test_a_wake_up_of_one_that_is_cancelled_goes_to_the_next() -> None:
    async def run() -> None:
        shared = async_desk.Desk(1)
        ends_s = time.monotonic() + LONG_S
        numbers = await shared.take(16, ends_s, _opened_later)
        first, second = (asyncio.create_task(shared.take(1, ends_s, _never)) for _ in "12")
        await asyncio.sleep(0)
        shared.settle((), numbers[:1])
        first.cancel()
        async with asyncio.timeout(LONG_S):
            assert len(await second) == 1

    asyncio.run(run())


def test_who_goes_to_open_sessions_leaves_what_room_there_is_to_the_next() -> None:
    async def run() -> None:
        shared = async_desk.Desk(2)
        ends_s = time.monotonic() + LONG_S
        numbers = await shared.take(32, ends_s, _opened_later)
        many = asyncio.create_task(shared.take(20, ends_s, _never))
        one = asyncio.create_task(shared.take(1, ends_s, _never))
        await asyncio.sleep(0)
        late = Call(commands.incr("k"), Trail(changes=True, in_session=True), numbers[0])
        late.fail(SessionExpired("late", outcome="unknown"))
        shared.settle([late], numbers[:17])
        async with asyncio.timeout(LONG_S):
            assert [number.session for number in await one] == [numbers[16].session]
        many.cancel()

    asyncio.run(run())


def test_when_an_opening_fails_one_that_waited_for_it_tries() -> None:
    async def fails(_opens: Sequence[Command], _ends_s: float) -> list[Any]:
        await asyncio.sleep(0)
        raise Unavailable("no node answered")

    async def run() -> None:
        shared = async_desk.Desk(1)
        ends_s = time.monotonic() + LONG_S
        first = asyncio.create_task(shared.take(1, ends_s, fails))
        others = [asyncio.create_task(shared.take(1, ends_s, _opened_later)) for _ in "123"]
        async with asyncio.timeout(LONG_S):
            with pytest.raises(Unavailable, match="no node answered"):
                await first
            assert len([await other for other in others]) == 3

    asyncio.run(run())


def _until_so_many_wait(shared: desk.Desk, count: int) -> None:
    ends_s = time.monotonic() + LONG_S
    while shared._waiting < count:
        assert time.monotonic() < ends_s, "so many wait in time"
        select.select([], [], [], 0)


def _opened(opens: Sequence[Command], _ends_s: float) -> list[Any]:
    return [[b"%032d" % at, *REPLY[1:]] for at, _ in enumerate(opens)]


async def _opened_later(opens: Sequence[Command], ends_s: float) -> list[Any]:
    await asyncio.sleep(0)
    return _opened(opens, ends_s)


async def _never(_opens: Sequence[Command], _ends_s: float) -> list[Any]:
    return await asyncio.Event().wait()  # type: ignore[return-value]
