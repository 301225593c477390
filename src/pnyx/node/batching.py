"""Group commit: one write and one sync for everything that was ready while the last one ran.

There is no linger timer: a batch is whatever collected meanwhile. The usual batch is written from
the loop into the page cache and synced by the kernel (storage/kernelsync.py); one that is large or
opens a segment, and all of them where the kernel cannot do that, take a worker thread.
"""

import asyncio
import time
from collections.abc import Callable

from pnyx.consensus.formation import Formed
from pnyx.ids import GroupId
from pnyx.storage.kernelsync import KernelSync
from pnyx.storage.wal import GroupWrite, Wal


class Batcher:
    """The log, seen from the loop: at most one batch is under way."""

    def __init__(
        self,
        wal: Wal,
        loop: asyncio.AbstractEventLoop,
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
        self._under_way: tuple[list[GroupWrite], Formed | None] | None = None
        self._began = 0.0
        self._idle = asyncio.Event()
        self._idle.set()
        self._kernel = KernelSync.open()
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
        writes, formed = self._under_way = self._collecting, self._formed
        self._collecting, self._formed = [], None
        doomed, self._doomed = self._doomed, {}
        self._destroyed = list(doomed.values())
        self._idle.clear()
        self._began = time.perf_counter()
        is_usual = self._kernel is not None and not doomed
        try:
            if is_usual and (file := self._wal.write(writes, formed)) is not None:
                assert self._kernel is not None, "it was asked just now"
                self._kernel.start(file)
                return
        except OSError as error:
            self._failed(self._wal.sync_failed(error))
        except BaseException as error:
            self._failed(error)
        else:
            task = self._loop.run_in_executor(None, self._wal.append, writes, formed, list(doomed))
            task.add_done_callback(self._appended)

    async def stop(self) -> None:
        """Return when the batch under way is durable. What collected since is dropped."""
        self._collecting, self._formed, self._doomed = [], None, {}
        await self._idle.wait()
        if self._kernel is not None:
            self._loop.remove_reader(self._kernel.announcement)
            self._kernel.close()

    def _announced(self) -> None:
        assert self._kernel is not None, "only a kernel's sync is announced"
        try:
            self._kernel.finish()
        except OSError as error:
            self._failed(self._wal.sync_failed(error))
            return
        self._wal.synced()
        self._end()

    def _appended(self, done: "asyncio.Future[int]") -> None:
        error = done.exception()
        if error is not None:
            self._failed(error)
        else:
            self._end()

    def _end(self) -> None:
        assert self._under_way is not None, "only a batch under way ends"
        writes, formed = self._under_way
        self._under_way = None
        self._idle.set()
        destroyed, self._destroyed = self._destroyed, []
        for then in destroyed:
            then()
        self._written(writes, formed, time.perf_counter() - self._began)
