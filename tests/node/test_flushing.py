"""Is a flush that found no room put off, and any other failure the node's end?"""

import asyncio

import pytest

from pnyx.errors import DiskFailed, NoRoom
from pnyx.node import flushing
from pnyx.node.flushing import Flusher
from pnyx.storage.memory import MemorySpace


class FailingSpace(MemorySpace):
    """Its next flushes fail, in order, with `failures`."""

    def __init__(self, *failures: DiskFailed) -> None:
        super().__init__()
        self.failures = list(failures)

    def flush(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


def said_of(space: FailingSpace, count: int) -> list[str]:
    """Return the first words of two who ask for a flush, and of the node's failure."""

    async def asked() -> list[str]:
        said: asyncio.Queue[str] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        flusher = Flusher(space, loop, lambda error: said.put_nowait(str(error)))
        flusher.flush(lambda: said.put_nowait("first"))
        flusher.flush(lambda: said.put_nowait("second"))
        return [await said.get() for _ in range(count)]

    return asyncio.run(asked())


def test_a_flush_without_room_is_tried_again_and_ends_for_all_who_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(flushing, "RETRY_S", 0.01)
    space = FailingSpace(*[NoRoom("full", cause="", next_step="") for _ in range(2)])
    assert said_of(space, 2) == ["first", "second"]
    assert not space.failures


def test_a_flush_that_fails_otherwise_ends_the_node() -> None:
    space = FailingSpace(DiskFailed("the disk failed", cause="", next_step=""))
    assert said_of(space, 1)[0].startswith("the disk failed")


def test_who_finds_no_room_when_a_flush_has_ended_ends_the_node() -> None:
    """A snapshot's state was in place, not durable, and not known to its log; others waited on."""

    def flips() -> None:
        raise NoRoom("full", cause="", next_step="")

    async def asked() -> str:
        failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        flusher = Flusher(FailingSpace(), asyncio.get_running_loop(), failed.set_result)
        flusher.flush(flips)
        return str(await asyncio.wait_for(failed, timeout=5))

    assert asyncio.run(asked()).startswith("full")
