"""Every random decision of a world: a hash of the seed and of what is decided, nothing else.

There is no generator whose state moves on: the fate of the k-th message from a to b is the same
whatever else happens in the run. Shrinking depends on it.
"""

from functools import cache
from math import log
from typing import Final

from xxhash import xxh3_64_intdigest

_UNIT: Final = 2.0**-64


class Chance:
    """The decisions of one world."""

    __slots__ = ("_seed",)

    def __init__(self, seed: int) -> None:
        assert 0 <= seed < 2**64, "a seed is 64 bits, not negative"
        self._seed = seed

    def draw(self, stream: str, *where: int) -> int:
        """Return 64 bits for the decision `stream` about `where` (entities and a counter)."""
        return xxh3_64_intdigest(_form(stream, len(where)) % where, self._seed)

    def below(self, bound: int, stream: str, *where: int) -> int:
        """Return an integer in ``0 <= n < bound``."""
        assert bound > 0, "nothing is below zero"
        return self.draw(stream, *where) % bound

    def share(self, stream: str, *where: int) -> float:
        """Return a number in ``0 <= x < 1``."""
        return self.draw(stream, *where) * _UNIT

    def hit(self, rate: float, stream: str, *where: int) -> bool:
        """Decide with probability `rate`; a rate of 0 costs nothing."""
        if rate <= 0:
            return False
        return xxh3_64_intdigest(_form(stream, len(where)) % where, self._seed) * _UNIT < rate

    def exponential(self, mean: float, stream: str, *where: int) -> float:
        """Return a waiting time, at most 40 means."""
        drawn = xxh3_64_intdigest(_form(stream, len(where)) % where, self._seed)
        return -mean * log(1.0 - drawn * _UNIT or 1e-17)

    def log_uniform(self, low: float, high: float, stream: str, *where: int) -> float:
        """Return a number between `low` and `high` that is as likely in each decade."""
        assert 0 < low <= high, "a logarithm needs a positive range"
        return float(low * (high / low) ** self.share(stream, *where))

    def seed(self, stream: str, *where: int) -> int:
        """Return a seed for the product's own `Prng`, 63 bits."""
        return self.draw(stream, *where) >> 1


@cache
def _form(stream: str, count: int) -> bytes:
    """Return what is hashed, with a place for each of `count` numbers: as a tuple is printed."""
    numbers = ", ".join(["%d"] * count)
    return f"{stream}({numbers}{',' * (count == 1)})".encode()
