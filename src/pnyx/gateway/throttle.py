"""How fast one address may guess passwords (T4): wrong guesses make the next answers late."""

from dataclasses import dataclass
from typing import Final

GUESSES_PER_SECOND: Final = 5
BURST: Final = 5
DELAY_SECONDS_MAX: Final = 30.0
ADDRESSES_MAX: Final = 4096


@dataclass(slots=True)
class _Guesser:
    failures: int
    clear_at: float
    """When the next guess may be judged, seconds on the monotonic clock."""


class Throttle:
    """Remembers who guessed wrong. A right guess is delayed too, or the delay would tell."""

    def __init__(self) -> None:
        self._guessers: dict[str, _Guesser] = {}

    def delay_seconds(self, address: str, now: float) -> float | None:
        """Return how long the next guess must wait; None if it is not to be judged at all."""
        guesser = self._guessers.get(address)
        if guesser is None or guesser.failures < BURST:
            return 0.0
        delay = max(0.0, guesser.clear_at - now)
        if delay > DELAY_SECONDS_MAX:
            return None
        # Claims the turn, so that guesses on parallel connections queue one behind another.
        guesser.clear_at = max(now, guesser.clear_at) + 1 / GUESSES_PER_SECOND
        return delay

    def failed(self, address: str, now: float) -> None:
        """Count a wrong guess."""
        guesser = self._guessers.pop(address, None)
        if guesser is None or now - guesser.clear_at > DELAY_SECONDS_MAX:
            guesser = _Guesser(0, now)
        guesser.failures += 1
        if guesser.failures >= BURST:
            doubled = (1 / GUESSES_PER_SECOND) * 2 ** min(guesser.failures - BURST, 8)
            guesser.clear_at = max(now, guesser.clear_at) + min(doubled, DELAY_SECONDS_MAX)
        if len(self._guessers) >= ADDRESSES_MAX:
            self._guessers.pop(next(iter(self._guessers)))
        self._guessers[address] = guesser

    def passed(self, address: str) -> None:
        """Forget an address that knew the password."""
        self._guessers.pop(address, None)
