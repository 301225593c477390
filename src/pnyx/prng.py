"""Random numbers without hidden state: each draw is a hash of (seed, stream, counter).

Below the line nobody draws entropy. The node seeds one `Prng` a replica from the operating
system, the Lab from its run's seed, and both then run the same code. A named stream keeps its
own counter, so removing one kind of draw does not reshuffle the others.
"""

from hashlib import blake2b


class Prng:
    """A seeded source of integers."""

    def __init__(self, seed: int) -> None:
        assert seed >= 0, "a seed is written in a replay line; negative ones would not parse"
        self._seed = seed.to_bytes(16, "little")
        self._drawn: dict[str, int] = {}

    def below(self, bound: int, stream: str = "") -> int:
        """Return an integer in ``0 <= n < bound``, uniform to within 2**-64 * bound."""
        assert bound > 0, "nothing is below zero"
        counter = self._drawn.get(stream, 0)
        self._drawn[stream] = counter + 1
        digest = blake2b(
            counter.to_bytes(8, "little") + stream.encode(), key=self._seed, digest_size=16
        )
        return int.from_bytes(digest.digest(), "little") % bound
