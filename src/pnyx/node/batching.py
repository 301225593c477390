"""Group commit: one write and one sync for everything that was ready while the last one ran.

There is no linger timer: a batch is whatever collected meanwhile. The usual batch is written and
made durable by the kernel (storage/kernelwrite.py); one that is large or opens a segment, and all
of them where the kernel cannot do that, take a worker thread.

A batch that needs a segment for which the disk has no room waits for it: whoever waits for the
batch meets a disk that hangs.
"""

import asyncio
import time
from collections.abc import Callable

import structlog

from pnyx.consensus.formation import Formed
from pnyx.errors import NoRoom
from pnyx.ids import GroupId
from pnyx.storage.kernelwrite import KernelWrite
from pnyx.storage.wal import GroupWrite, Wal
from pnyx.storage.watch import SPACE_CHECK_MS

_log = structlog.get_logger("pnyx.log")


class Batcher:
    """The log, seen from the loop: at most one batch is under way."""

    def __init__(
        self,
        wal: Wal,
        loop: asyncio.AbstractEventLoop,
        kernel: KernelWrite | None,
        *,
        written: Callable[[list[GroupWrite], Formed | None, float], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._wal = wal
        self._loop = loop
        self._written = written
        self._failed = failed
        self._collecting: list[GroupWrite] = []
        self._formed: Formed | None = None
        self._doomed: dict[GroupId, Callable[[], None]] = {}
        self._destroyed: list[Callable[[], None]] = []
        """To be called when the batch under way is durable."""
        self._under_way: tuple[list[GroupWrite], Formed | None, list[GroupId]] | None = None
        self._lacks_room = False
        self._retry: asyncio.TimerHandle | None = None
        self._stops = False
        self._began = 0.0
        self._idle = asyncio.Event()
        self._idle.set()
        self._kernel = kernel
        if self._kernel is not None:
            loop.add_reader(self._kernel.announcement, self._announced)

    def add(self, write: GroupWrite) -> None:
        """Put `write` into the next batch."""
        self._collecting.append(write)

    def record(self, formed: Formed) -> None:
        """Put a formation record into the next batch."""
        self._formed = formed

    def destroy(self, group: GroupId, then: Callable[[], None]) -> None:
        """Put the end of a group's log into the next batch; `then` when that is durable."""
        # Nobody was told of what was not written yet.
        self._collecting = [write for write in self._collecting if write.group != group]
        self._doomed[group] = then

    def start(self) -> None:
        """Start the next batch, unless one is under way or there is nothing to write."""
        wanted = self._collecting or self._formed or self._doomed
        if self._under_way is not None or not wanted:
            return
        doomed, self._doomed = self._doomed, {}
        self._destroyed = list(doomed.values())
        writes, formed, _ = self._under_way = self._collecting, self._formed, list(doomed)
        self._collecting, self._formed = [], None
        self._idle.clear()
        self._began = time.perf_counter()
        is_usual = self._kernel is not None and not doomed
        try:
            if is_usual and (draft := self._wal.draft(writes, formed)) is not None:
                assert self._kernel is not None, "it was asked just now"
                self._kernel.start(*draft)
                return
        except OSError as error:
            self._failed(self._wal.write_failed(error))
        except BaseException as error:
            self._failed(error)
        else:
            self._append()

    async def stop(self) -> None:
        """Return when the batch under way is durable. What collected since is dropped.

        So is a batch that waits for room: nobody was told of it.
        """
        self._collecting, self._formed, self._doomed = [], None, {}
        self._stops = True
        if self._retry is not None:
            self._retry.cancel()
            self._idle.set()
        await self._idle.wait()
        if self._kernel is not None:
            self._loop.remove_reader(self._kernel.announcement)
            self._kernel.close()

    def _announced(self) -> None:
        assert self._kernel is not None, "only the kernel's writes are announced"
        try:
            self._kernel.finish()
        except OSError as error:
            self._failed(self._wal.write_failed(error))
            return
        self._wal.written()
        self._end()

    def _append(self) -> None:
        assert self._under_way is not None, "there is a batch to append"
        self._retry = None
        task = self._loop.run_in_executor(None, self._wal.append, *self._under_way)
        task.add_done_callback(self._appended)

    def _appended(self, done: "asyncio.Future[int]") -> None:
        error = done.exception()
        if isinstance(error, NoRoom):
            self._wait_for_room(error)
        elif error is not None:
            self._failed(error)
        else:
            self._lacks_room = False
            self._end()

    def _wait_for_room(self, error: NoRoom) -> None:
        if self._stops:
            self._idle.set()
            return
        if not self._lacks_room:
            _log.warning("no room for the log: it waits", why=error.cause)
        self._lacks_room = True
        self._retry = self._loop.call_later(SPACE_CHECK_MS / 1_000, self._append)

    def _end(self) -> None:
        assert self._under_way is not None, "only a batch under way ends"
        writes, formed, _ = self._under_way
        self._under_way = None
        self._idle.set()
        destroyed, self._destroyed = self._destroyed, []
        for then in destroyed:
            then()
        self._written(writes, formed, time.perf_counter() - self._began)
