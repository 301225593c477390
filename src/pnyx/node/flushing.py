"""Flushes of the space, one at a time: whoever asks during one gets the next, with all others.

All groups of a node share one space, so one flush makes durable what any of them has applied.
Nothing durable hangs on a flush but the release of the log, so one that finds no room is put off,
and whoever waits for it waits on.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from pnyx.errors import NoRoom
from pnyx.machine.space import Space

RETRY_S: Final = 1.0
"""Between two tries of a flush for which the disk has no room."""

_log = structlog.get_logger("pnyx.flush")


class Flusher:
    """The space's, on the loop; the work is done in a worker thread."""

    def __init__(
        self,
        space: Space,
        loop: asyncio.AbstractEventLoop,
        failed: Callable[[BaseException], None],
    ) -> None:
        self._space = space
        self._loop = loop
        self._failed = failed
        self._asked: list[Callable[[], None]] = []
        self._under_way: list[Callable[[], None]] = []
        self._lacks_room = False

    def flush(self, then: Callable[[], None]) -> None:
        """Call `then`, on the loop, once all that was written before this call is durable."""
        self._asked.append(then)
        if not self._under_way:
            self._start()

    def _start(self) -> None:
        self._under_way += self._asked
        self._asked = []
        self._loop.run_in_executor(None, self._space.flush).add_done_callback(self._ended)

    def _ended(self, done: asyncio.Future[None]) -> None:
        if not done.cancelled() and isinstance(error := done.exception(), NoRoom):
            if not self._lacks_room:
                _log.warning("no room to flush", why=error.cause)
            self._lacks_room = True
            self._loop.call_later(RETRY_S, self._start)
            return
        try:
            done.result()
            self._lacks_room = False
            ended, self._under_way = self._under_way, []
            for then in ended:
                # One that finds no room itself, with a snapshot half in place, cannot be put off.
                then()
            if self._asked and not self._under_way:
                self._start()
        except BaseException as error:
            self._failed(error)
