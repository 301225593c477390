"""The line on standard error that tells how far a long command is, only on a terminal."""

import sys
import time
from typing import Final

EVERY_S: Final = 0.2


class Progress:
    """So many of so many, at what rate, how much longer."""

    def __init__(self, total: int, what: str) -> None:
        self._total = total
        self._what = what
        self._began = time.monotonic()
        self._shown = 0.0
        self._count = 0
        self._on = sys.stderr.isatty()
        self._is_there = False

    @property
    def visible(self) -> bool:
        """Is anybody there to see it?"""
        return self._on

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return max(time.monotonic() - self._began, 1e-9)

    def grow(self, count: int) -> None:
        """There are so many more to be done."""
        self._total += count

    def step(self, more: str = "") -> None:
        """One more is done; `more` is shown behind the numbers."""
        self._count += 1
        now = time.monotonic()
        if not self._on or (now - self._shown < EVERY_S and self._count < self._total):
            return
        self._shown = now
        self.say(more)

    def say(self, more: str) -> None:
        """Show the line with `more` behind the numbers, though none is done since."""
        if not self._on:
            return
        self._is_there = True
        pace = ""
        if self._count:
            rate = self._count / self.seconds
            pace = f"{rate:.1f}/s  about {_spoken((self._total - self._count) / rate)} left  "
        print(
            f"\r{self._count}/{self._total} {self._what}  {pace}{more}\x1b[K",
            end="",
            file=sys.stderr,
            flush=True,
        )

    def end(self) -> None:
        """Take the line away."""
        if self._is_there:
            self._is_there = False
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3_600:.1f} h"
