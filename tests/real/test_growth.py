"""Ten groups join and ten leave, one after the other, and no client of Redis notices anything."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis
from redis.cluster import RedisCluster

from pnyx.harness.cluster import HOST, Cluster
from pnyx.machine.shards import shard_of_slot
from pnyx.machine.slots import slot_of
from real.benchmarking import benchmarked, needs_benchmark
from real.growing import Operator

pytestmark = [pytest.mark.real, pytest.mark.slow]

SHARDS = 24
ROUNDS = 10
ASKED_MIN = 200
KEYS = [f"key:{number}" for number in range(240)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(settings={"groups": 3, "shards": SHARDS}) as nodes:
        nodes.start()
        # redis-benchmark never learns of a node that led nothing when it began.
        led_by_all(nodes)
        yield nodes


def grows_and_shrinks(cluster: Cluster, goes_on: Callable[[], bool] = lambda: False) -> None:
    """Let ten groups come and ten go, and more as long as something `goes_on`."""
    operator = Operator(cluster, random.Random(1))
    while operator.changes < 2 * ROUNDS or goes_on():
        operator.join(anywhere=False)
        # Another node may have led the new group first: it hands over to whom it belongs.
        led_by_all(cluster, without=operator.oldest().group)
        operator.leave()


def led_by_all(cluster: Cluster, without: int = 0) -> None:
    """Wait until every node leads a group of keys, one group aside."""
    cluster.wait_for(
        lambda seen: (
            {label for group, label in seen.leaders if group not in {0, without}}
            == set(cluster.nodes)
        ),
        "led by all nodes",
    )


@contextmanager
def again_and_again(*asks: Callable[[], None]) -> Iterator[None]:
    """Do each of these in a thread of its own until the block ends; none may fail."""
    over = threading.Event()
    failed: list[str] = []

    def run(ask: Callable[[], None]) -> None:
        try:
            while not over.is_set():
                ask()
        except BaseException as error:
            failed.append(repr(error))

    threads = [threading.Thread(target=run, args=(ask,)) for ask in asks]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert failed == []


@needs_benchmark
@pytest.mark.timeout(180)
def test_redis_benchmark_runs_through_ten_joins_and_leaves_without_an_error(
    cluster: Cluster, program: str
) -> None:
    with benchmarked(cluster, program, requests=500):
        grows_and_shrinks(cluster)


@pytest.mark.timeout(180)
def test_redis_cluster_counts_right_through_ten_joins_and_leaves(cluster: Cluster) -> None:
    places = {shard_of_slot(slot_of(key.encode()), SHARDS): key for key in KEYS}
    assert len(places) == SHARDS, "a key in each shard"
    counted = {f"{{{key}}}:routed": 0 for key in places.values()}
    with RedisCluster(host=HOST, port=cluster.nodes["n1"].ports.cluster) as client:

        def count_all() -> None:
            for key, count in counted.items():
                assert client.incr(key) == count + 1
                counted[key] = count + 1

        with again_and_again(count_all):
            grows_and_shrinks(cluster)
        assert min(counted.values()) > ROUNDS
        assert client.mget_nonatomic(*counted) == [b"%d" % count for count in counted.values()]


@pytest.mark.timeout(180)
def test_scan_and_dbsize_of_the_gateway_port_see_every_key_once_through_joins_and_leaves(
    cluster: Cluster,
) -> None:
    clients = [redis.Redis(port=node.ports.gateway) for node in cluster.nodes.values()]
    one, two, three = clients
    one.flushall()
    for key in KEYS:
        one.set(key, "v")
    sizes: list[int] = []
    pages: list[int] = []

    def size() -> None:
        sizes.append(two.dbsize())

    def scan() -> None:
        cursor, found = 0, list[bytes | str]()
        while cursor or not found:
            cursor, keys = three.scan(cursor, count=20)
            found += keys
            pages.append(len(keys))
        assert sorted(found) == sorted(key.encode() for key in KEYS)

    with again_and_again(size, scan):
        grows_and_shrinks(cluster, lambda: min(len(sizes), len(pages)) < ASKED_MIN)
    assert set(sizes) == {len(KEYS)}
    for client in clients:
        client.close()
