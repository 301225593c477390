"""Group commit: one write and one sync for everything that was ready while the last one ran.

The loop hands over write records; one worker thread appends them to the log, a batch at a time,
and tells the loop. There is no linger timer: the batch is whatever collected meanwhile.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from pnyx.consensus.formation import Formed
from pnyx.storage.wal import GroupWrite, Wal


class Batcher:
    """The one worker thread of the log, seen from the loop."""

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
        self._jobs: SimpleQueue[tuple[list[GroupWrite], Formed | None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="wal", daemon=True)
        self._thread.start()
        self.busy = False
        """Is a batch being written right now?"""

    def add(self, write: GroupWrite) -> None:
        """Put `write` into the next batch."""
        self._collecting.append(write)

    def record(self, formed: Formed) -> None:
        """Put a formation record into the next batch."""
        self._formed = formed

    def start(self) -> None:
        """Start the next batch, unless one is under way or there is nothing to write."""
        if self.busy or not (self._collecting or self._formed):
            return
        self.busy = True
        self._jobs.put((self._collecting, self._formed))
        self._collecting, self._formed = [], None

    @property
    def empty(self) -> bool:
        """Is everything durable?"""
        return not (self.busy or self._collecting or self._formed)

    def stop(self) -> None:
        """End the thread after the batch under way. What collected since is dropped."""
        self._jobs.put(None)
        self._thread.join(timeout=5)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            writes, formed = job
            began = time.perf_counter()
            try:
                self._wal.append(writes, formed)
            except BaseException as error:
                self._loop.call_soon_threadsafe(self._failed, error)
                return
            seconds = time.perf_counter() - began
            self._loop.call_soon_threadsafe(self._ended, writes, formed, seconds)

    def _ended(self, writes: list[GroupWrite], formed: Formed | None, seconds: float) -> None:
        self.busy = False
        self._written(writes, formed, seconds)
