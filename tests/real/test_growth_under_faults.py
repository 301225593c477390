"""Do groups join and leave while clients work and nodes are killed, cut off and slowed down?

Twenty clients with sessions work all along, and redis-benchmark while nothing is hurt: it exits on
any error. Whatever was acknowledged is there once, what they saw is linearizable, and each group
has its part of the shards.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle

import pytest

from pnyx.admin import controller
from pnyx.harness.cluster import Cluster
from pnyx.harness.proxy import ANY
from real.benchmarking import benchmarked, needs_benchmark
from real.growing import Operator
from real.sessionload import check, seen_during

pytestmark = pytest.mark.real

SHARDS = 48
MISHAPS = ("kill", "cut", "half_open", "deaf", "slow")
SLOW_MS = 60


@dataclass
class Mischief:
    """Hurts one node after the other until it is told to stop."""

    cluster: Cluster
    draw: random.Random
    done: Counter[str] = field(default_factory=Counter)
    failed: list[BaseException] = field(default_factory=list)

    def has_more(self) -> bool:
        """Are there faults that it has not tried yet?"""
        return not self.failed and len(self.done) < len(MISHAPS)

    @contextmanager
    def afoot(self) -> Iterator[None]:
        over = threading.Event()
        thread = threading.Thread(target=self._run, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self.cluster.heal()
            self.cluster.start()
        assert self.failed == []

    def _run(self, over: threading.Event) -> None:
        try:
            for mishap in cycle(MISHAPS):
                if over.wait(self.draw.uniform(0.2, 1.0)):
                    return
                self._befall(mishap, self.draw.choice(list(self.cluster.nodes)), over)
                self.done[mishap] += 1
        except BaseException as error:
            self.failed.append(error)

    def _befall(self, mishap: str, label: str, over: threading.Event) -> None:
        proxy = self.cluster.proxy
        match mishap:
            case "kill":
                self.cluster.kill(label)
            case "cut":
                proxy.cut(label, ANY)
            case "half_open":
                proxy.half_open(label, ANY)
            case "deaf":
                proxy.blackhole(ANY, label)
            case _:
                proxy.delay(label, ANY, SLOW_MS, SLOW_MS)
        over.wait(self.draw.uniform(0.2, 2.0))
        if mishap == "kill":
            self.cluster.restart(label)
        else:
            proxy.heal()


def assert_balanced(cluster: Cluster) -> int:
    """Every shard is where it should be, all groups have as many; return how many moves it took."""
    maps = controller.maps(controller.Cluster(cluster.http_addresses()))
    assert maps.to_move() == []
    loads = Counter(serving.group for serving in maps.directory.shards)
    assert set(loads) == {placed.group for placed in maps.configuration.placements}
    assert max(loads.values()) - min(loads.values()) <= 1, loads
    return sum(serving.epoch - 1 for serving in maps.directory.shards)


def grows_and_shrinks(program: str, calm: int, rough: int) -> None:
    seed = random.randrange(1 << 32)
    with Cluster(settings={"groups": 3, "shards": SHARDS}, proxy_seed=seed) as cluster:
        cluster.start()
        cluster.wait_healthy()
        operator = Operator(cluster, random.Random(f"{seed}/operator"))
        mischief = Mischief(cluster, random.Random(f"{seed}/mischief"))
        took_s: list[float] = []

        def one_round(*, anywhere: bool) -> None:
            began_s = time.monotonic()
            operator.join(anywhere=anywhere)
            operator.leave()
            took_s.append(round(time.monotonic() - began_s, 1))

        def work() -> None:
            with benchmarked(cluster, program, requests=300):
                for _ in range(calm):
                    one_round(anywhere=False)
            with mischief.afoot():
                while len(took_s) < calm + rough or mischief.has_more():
                    one_round(anywhere=True)
            cluster.wait_healthy(60)

        seen = seen_during(cluster, "pnyx", work)
        check(cluster, seen)
        moved = assert_balanced(cluster)
    print(
        f"seed {seed}: {operator.changes} joins and leaves, {moved} moves, {dict(mischief.done)}, "
        f"{operator.asked_again} times asked again; {seen.in_numbers()}; rounds took {took_s}"
    )
    assert seen.counted > 500, "the clients got something done"


@needs_benchmark
@pytest.mark.timeout(300)
def test_groups_join_and_leave_under_faults_and_everything_is_done_once(program: str) -> None:
    grows_and_shrinks(program, calm=2, rough=3)


@needs_benchmark
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fifteen_joins_and_leaves_under_faults_leave_everything_done_once(program: str) -> None:
    grows_and_shrinks(program, calm=5, rough=10)
