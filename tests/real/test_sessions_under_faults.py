"""Do clients with sessions have each write done once, under kill -9 and partitions?

What they saw is judged twice: by count, for the store must end with exactly what was acknowledged,
plus what nobody knows of at most once; and by the Lab's judge of histories, which knows nothing of
pnyx.
"""

import random
import threading
from time import monotonic

import pytest

from pnyx.harness.cluster import Cluster
from real.sessionload import check, seen_during

pytestmark = pytest.mark.real

KINDS = ("pnyx", "redis-py")


def hurt(cluster: Cluster, seconds: float, draw: random.Random) -> None:
    """Kill leaders and cut nodes off, one at a time, for so long; then heal everything."""
    ends_s = monotonic() + seconds
    while monotonic() < ends_s:
        label = cluster.wait_for_leader()
        if draw.random() < 0.5:
            cluster.kill(label)
            cluster.restart(label)
        else:
            cluster.partition(draw.choice([label, *cluster.nodes]))
        threading.Event().wait(draw.uniform(0.5, 2.5))
        cluster.heal()
    cluster.wait_healthy(60)


def leaves_what_was_acknowledged(kind: str, seconds: float) -> None:
    with Cluster() as cluster:
        cluster.start()
        cluster.wait_healthy()
        draw = random.Random(kind)
        seen = seen_during(cluster, kind, lambda: hurt(cluster, seconds, draw))
        check(cluster, seen)
    print(f"{kind}: {seen.in_numbers()}")
    assert seen.counted > 20 * seconds, "the clients got something done"
    operations = seen.history.operations()
    assert sum(one.function == "append" and one.outcome == "ok" for one in operations) > 100


@pytest.mark.parametrize("kind", KINDS)
def test_ten_seconds_of_faults_leave_exactly_what_was_acknowledged(kind: str) -> None:
    leaves_what_was_acknowledged(kind, 10)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_minute_of_faults_leaves_exactly_what_was_acknowledged(kind: str) -> None:
    leaves_what_was_acknowledged(kind, 60)
