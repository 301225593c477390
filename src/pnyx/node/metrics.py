"""What a node counts and measures: plain integers, read when somebody asks.

Nothing here costs anything while nobody looks: floors keep counters as dataclasses of integers, and
this object knows where they are. The page that shows them is http.py.
"""

import dataclasses
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

SYNC_SECONDS_BOUNDS: Final = (
    0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0,
)  # fmt: skip
"""Upper bounds of the buckets: a fast disk syncs in 0.1 ms, one that takes 1 s is sick."""


class Histogram:
    """Counts of values by bucket."""

    __slots__ = ("bounds", "counts", "text", "total")

    def __init__(self, bounds: tuple[float, ...], text: str) -> None:
        self.bounds = bounds
        self.text = text
        self.counts = [0] * (len(bounds) + 1)
        """One a bound, and one for what is above all of them; not cumulative."""
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count `value` in the first bucket whose bound is not below it."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Gauge(NamedTuple):
    """Something that goes up and down."""

    name: str
    text: str
    read: Callable[[], float]


class Count(NamedTuple):
    """Something that only grows, or one of several by `label`."""

    name: str
    text: str
    values: Mapping[str, int]
    """By label; the only one's is the empty string."""


class Metrics:
    """One node's."""

    def __init__(self) -> None:
        self.sync_seconds = Histogram(SYNC_SECONDS_BOUNDS, "Seconds of a log write and its sync.")
        self._watched: dict[str, Callable[[], Any]] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Callable[[], Histogram]] = {}

    def synced(self, seconds: float) -> None:
        """A batch was written and synced in `seconds`."""
        self.sync_seconds.add(seconds)

    def watch(self, floor: str, read: Callable[[], Any]) -> None:
        """Show each integer field of the dataclass that `read` returns: pnyx_<floor>_<field>_total.

        A field that is a mapping is shown by its keys. Watching a floor again replaces it.
        """
        assert dataclasses.is_dataclass(read()), "its fields are what is shown"
        self._watched[floor] = read

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Show what `read` returns as ``pnyx_<name>``; `read` is called on the loop."""
        self._gauges[name] = Gauge(name, text, read)

    def histogram(self, name: str, read: Callable[[], Histogram]) -> None:
        """Show what `read` returns as ``pnyx_<name>``; `read` is called on the loop."""
        self._histograms[name] = read

    @property
    def histograms(self) -> Mapping[str, Histogram]:
        """By name, without the prefix."""
        read = {name: read() for name, read in self._histograms.items()}
        return {"sync_seconds": self.sync_seconds} | read

    def gauges(self) -> Iterator[Gauge]:
        """Yield the gauges, in the order they came."""
        return iter(self._gauges.values())

    def counts(self) -> Iterator[Count]:
        """Yield all watched counters."""
        for floor, read in self._watched.items():
            counters = read()
            for field in dataclasses.fields(counters):
                value = getattr(counters, field.name)
                name = f"{floor}_{field.name}"
                text = f"{field.name.replace('_', ' ')} since the start ({floor})"
                if isinstance(value, int):
                    yield Count(name, text, {"": value})
                elif isinstance(value, Mapping):
                    yield Count(name, text, dict(value))
