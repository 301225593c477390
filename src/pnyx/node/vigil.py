"""A node that has just worked looks for more before it sleeps.

A processor without work sleeps, and wakes 20 to 60 us after it is called. A write that comes alone
passes four such calls: to the leader, to a follower, back, and to the client. So a loop that is
busy anyway does not sleep between: it asks its sockets again and again, for a moment.

Rule 1. Only between works that have followed each other closely for a while. Who is asked for some
        hundred things a second sleeps, and so does an idle cluster: heartbeats are no work.
Rule 2. Whoever else wants the processor has it, after each look.
Rule 3. Who is kept from it for long thereby, for somebody computes there, sleeps as usual for a
        while; for twice as long if that comes again at once. Who sleeps is preferred when he wakes.
"""

import asyncio
import os
from time import perf_counter
from typing import Final

WORKS_LEAST: Final = 16
"""So many must have followed each other closely: at some hundred a second they seldom do."""
KEPT_OUT_S: Final = 0.001
"""Another node of the same machine, or a client, has done what it had to do in less."""
PAUSE_S_LEAST: Final = 0.004
PAUSE_S_MAX: Final = 2.0
SOON_S: Final = 0.05
"""Who is kept out again within this of the end of a pause was not kept out by chance."""


class Vigil:
    """When a node's loop may sleep."""

    def __init__(self, loop: asyncio.AbstractEventLoop, patience_us: int) -> None:
        """`patience_us` is how long it looks for more; 0: it sleeps at once."""
        self._loop = loop
        self._patience_s = patience_us / 1e6
        self._worked_s = 0.0
        self._works = 0
        """How many followed each other closely up to the last one."""
        self._is_kept = False
        self._pause_s = PAUSE_S_LEAST
        self._resumes_s = 0.0

    def worked(self) -> None:
        """Something was done that is likely to be followed by more."""
        now_s = perf_counter()
        self._works = self._works + 1 if now_s - self._worked_s < self._patience_s else 0
        self._worked_s = now_s
        is_busy = self._works >= WORKS_LEAST
        if is_busy and not self._is_kept and now_s >= self._resumes_s:
            self._is_kept = True
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        looked_s = perf_counter()
        if looked_s - self._worked_s >= self._patience_s:
            self._is_kept = False
            return
        os.sched_yield()
        now_s = perf_counter()
        if now_s - looked_s < KEPT_OUT_S:
            self._loop.call_soon(self._look)
            return
        self._is_kept = False
        is_soon = looked_s - self._resumes_s < SOON_S
        self._pause_s = min(2 * self._pause_s, PAUSE_S_MAX) if is_soon else PAUSE_S_LEAST
        self._resumes_s = now_s + self._pause_s
