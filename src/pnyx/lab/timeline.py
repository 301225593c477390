"""One heap of events in integer microseconds, and the hash of everything that happened.

Events at the same microsecond at different places come in an order that the seed decides, so runs
explore orders instead of always taking the same one. Everything that is not an event is a function
of the events: same seed, same hash.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Final, NamedTuple, TypeAlias

from xxhash import xxh3_64

_MASK: Final = 2**64 - 1

NOWHERE: Final = 0
"""The place of events that belong to no node."""


class Event(NamedTuple):
    """One thing that will happen."""

    at_us: int
    tie: int
    id: int
    kind: str
    place: int
    """The node's number, or `NOWHERE`."""
    cause: int
    """The id of the event during which this one was planned; 0 from outside."""
    action: Callable[..., None]
    arguments: tuple[Any, ...]


_Planned: TypeAlias = tuple[int, int, int, str, int, int, Callable[..., None], tuple[Any, ...]]


class Timeline:
    """Simulated time."""

    def __init__(self, seed: int) -> None:
        self.now_us = 0
        self.current = 0
        """The id of the event that is happening."""
        self.happened = 0
        """Events so far."""
        self.before: Callable[[Event], None] | None = None
        """Told of each event before it happens: the trace."""
        self.after: Callable[[Event], None] | None = None
        """Told of each event after it happened: invariants, scripts."""
        self._salt = seed
        self._planned = 0
        self._heap: list[_Planned] = []
        self._digest = xxh3_64(seed=seed & _MASK)
        self.note: Callable[[bytes], None] = self._digest.update
        """Put bytes into the run's hash: what an event carried or decided."""

    def at(
        self, at_us: int, kind: str, place: int, action: Callable[..., None], *arguments: Any
    ) -> None:
        """Plan `action(*arguments)` for the time `at_us`, or for now if that has passed."""
        at_us = max(at_us, self.now_us)
        self._planned = number = self._planned + 1
        # Of integers alone: Python's hash seed has no part in it.
        tie = hash((self._salt, at_us, place))
        # The fields of an `Event`, in order; most events are never looked at as one.
        heappush(self._heap, (at_us, tie, number, kind, place, self.current, action, arguments))

    def after_us(
        self, delay_us: int, kind: str, place: int, action: Callable[..., None], *arguments: Any
    ) -> None:
        """Plan `action(*arguments)` for `delay_us` from now."""
        self.at(self.now_us + delay_us, kind, place, action, *arguments)

    def step(self) -> bool:
        """Let the next event happen; False if there is none."""
        if not self._heap:
            return False
        planned = heappop(self._heap)
        at_us, _, number, _, place, _, action, arguments = planned
        self.now_us = at_us
        self.current = number
        self.happened += 1
        self.note(b"%d %d %d" % (at_us, place, number))
        if self.before is not None:
            self.before(Event(*planned))
        action(*arguments)
        if self.after is not None:
            self.after(Event(*planned))
        self.current = 0
        return True

    def run(self, until_us: int) -> None:
        """Let everything up to and at `until_us` happen."""
        heap, step = self._heap, self.step
        while heap and heap[0][0] <= until_us:
            step()
        self.now_us = max(self.now_us, until_us)

    @property
    def hash(self) -> str:
        """16 hexadecimal digits of everything that happened."""
        return self._digest.hexdigest()
