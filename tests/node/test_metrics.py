"""Counters cost nothing until somebody looks, and are all seen when somebody does."""

from collections import Counter
from dataclasses import dataclass, field

from pnyx.node.metrics import Histogram, Metrics


@dataclass
class Counts:
    reads: int = 0
    errors: Counter[str] = field(default_factory=Counter)


def test_a_watched_counter_is_read_when_asked() -> None:
    metrics, counts = Metrics(), Counts()
    metrics.watch("gateway", lambda: counts)
    counts.reads += 3
    counts.errors["ERR"] += 1
    shown = {count.name: count.values for count in metrics.counts()}
    assert shown == {"gateway_reads": {"": 3}, "gateway_errors": {"ERR": 1}}


def test_a_floor_that_starts_again_replaces_its_counters() -> None:
    metrics = Metrics()
    metrics.watch("replica", lambda: Counts(reads=5))
    metrics.watch("replica", lambda: Counts(reads=1))
    assert next(count.values for count in metrics.counts()) == {"": 1}


def test_a_histogram_that_others_keep_is_read_when_asked() -> None:
    metrics, kept = Metrics(), Histogram((1, 2), "text")
    metrics.histogram("freezes", lambda: kept)
    kept.add(1.5)
    assert metrics.histograms["freezes"].counts == [0, 1, 0]
    assert "sync_seconds" in metrics.histograms


def test_a_value_falls_into_the_first_bucket_that_holds_it() -> None:
    histogram = Histogram((1, 2, 5), "text")
    for value in (0.5, 1, 1.5, 5, 9):
        histogram.add(value)
    assert histogram.counts == [2, 1, 1, 1]
    assert histogram.total == 17
