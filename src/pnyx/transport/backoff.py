"""How long to wait before dialling a peer again."""

from typing import Final

from pnyx.prng import Prng

BACKOFF_MS_MIN: Final = 50
BACKOFF_MS_MAX: Final = 2_000
QUICK_MS_MAX: Final = 250
"""The longest wait while the peer's machine answers but its node does not (it is starting)."""


class Backoff:
    """Doubling waits with jitter; `reset` after a success."""

    def __init__(self, prng: Prng) -> None:
        self._prng = prng
        self._next_ms = BACKOFF_MS_MIN

    def wait_ms(self, *, quick: bool = False) -> int:
        """Return the next wait: between half and all of a span that doubles each time.

        With `quick` the span stays at or below QUICK_MS_MAX: a refused connection costs next to
        nothing, and a restarting node should not be kept waiting for us.
        """
        span = min(self._next_ms, QUICK_MS_MAX) if quick else self._next_ms
        self._next_ms = min(span * 2, BACKOFF_MS_MAX)
        return span - self._prng.below(span // 2 + 1, "backoff")

    def reset(self) -> None:
        """A link came up: the next failure starts small again."""
        self._next_ms = BACKOFF_MS_MIN
