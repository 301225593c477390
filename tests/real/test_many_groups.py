"""Three groups on three nodes, and clients of every kind, also while shards move between them."""

import asyncio
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.asyncio.cluster import RedisCluster as AsyncRedisCluster
from redis.cluster import RedisCluster
from redis.exceptions import RedisClusterException

import pnyx
from pnyx.admin import page
from pnyx.harness.cluster import HOST, Cluster
from pnyx.machine.shards import SHARDS_DEFAULT, first_slot, shard_of_slot
from pnyx.machine.slots import slot_of
from real.benchmarking import benchmarked, needs_benchmark

pytestmark = pytest.mark.real

KEYS = [f"key:{number}" for number in range(300)]
MOVED_S_MAX = 30.0

needs_cli = pytest.mark.parametrize("program", ["redis-cli"], indirect=True)


@pytest.fixture(scope="module")
def groups() -> Iterator[Cluster]:
    with Cluster(settings={"groups": 3}) as nodes:
        nodes.start()
        nodes.wait_healthy()
        wait_until(lambda: led(nodes) == {1: "n1", 2: "n2", 3: "n3"}, "leaders are at home")
        yield nodes


@pytest.fixture
def cluster(groups: Cluster) -> Cluster:
    with redis.Redis(port=groups.nodes["n1"].ports.gateway) as client:
        client.flushall()
    return groups


def wait_until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + MOVED_S_MAX
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def status(cluster: Cluster, label: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(
        page.ask(HOST, cluster.nodes[label].ports.http, "/v1/status", timeout_s=10)
    )
    return said


def led(cluster: Cluster) -> dict[int, str | None]:
    """Return who leads each group, in the words of all nodes; nothing while they differ."""
    try:
        said = [status(cluster, label) for label in cluster.nodes]
    except page.NoAnswer:
        # A node that was just started does not listen yet.
        return {}
    labels = {one["me"]: one["label"] for one in said}
    found = [{each["group"]: labels.get(each["leader"]) for each in one["groups"]} for one in said]
    return found[0] if all(one == found[0] for one in found) else {}


def owners(cluster: Cluster, label: str = "n1") -> list[int]:
    found: list[int] = status(cluster, label)["owners"]
    return found


def tell(cluster: Cluster, words: object) -> None:
    """Tell the controller something that it must not refuse."""
    http = cluster.nodes["n1"].ports.http
    body = json.dumps(words).encode()
    said = json.loads(page.ask(HOST, http, "/v1/controller", body=body, timeout_s=10))
    assert said["outcome"] == "done", said


def move(cluster: Cluster, shard: int, to: int) -> None:
    """Have a shard moved, and wait until all nodes know."""
    tell(cluster, {"move": shard, "to": to})
    for label in cluster.nodes:
        wait_until(lambda label=label: owners(cluster, label)[shard] == to, "it arrives")  # type: ignore[misc]


def cluster_port(cluster: Cluster) -> int:
    return cluster.nodes["n1"].ports.cluster


def shard_of(key: str) -> int:
    return shard_of_slot(slot_of(key.encode()), SHARDS_DEFAULT)


@needs_cli
def test_redis_cli_follows_redirections_to_each_group(cluster: Cluster, program: str) -> None:
    served = {owners(cluster)[shard_of(key)] for key in KEYS[:20]}
    assert served == {1, 2, 3}
    words = [program, "-c", "-p", str(cluster_port(cluster))]
    for key in KEYS[:20]:
        done = subprocess.run([*words, "set", key, "v"], capture_output=True, text=True, check=True)
        assert done.stdout == "OK\n"
    check = [program, "--cluster", "check", f"{HOST}:{cluster_port(cluster)}"]
    said = subprocess.run(check, capture_output=True, text=True, check=False).stdout
    assert "20 keys in 3 masters" in said
    assert "All 16384 slots covered" in said


def test_redis_cluster_reads_what_it_wrote_in_every_group(cluster: Cluster) -> None:
    with RedisCluster(host=HOST, port=cluster_port(cluster)) as client:
        assert len(client.get_primaries()) == 3
        with client.pipeline() as pipeline:
            for key in KEYS:
                pipeline.set(key, key)
            assert pipeline.execute() == [True] * len(KEYS)
        assert client.mget_nonatomic(*KEYS) == [key.encode() for key in KEYS]
        assert sorted(client.scan_iter(count=100)) == sorted(key.encode() for key in KEYS)
        sizes = client.dbsize(target_nodes=RedisCluster.PRIMARIES)
        assert sizes == len(KEYS)
        with pytest.raises(RedisClusterException):
            client.mset({KEYS[0]: 1, KEYS[1]: 2, KEYS[2]: 3})
        client.flushall()
        assert client.dbsize(target_nodes=RedisCluster.PRIMARIES) == 0


def test_redis_cluster_for_asyncio_does_too(cluster: Cluster) -> None:
    async def use() -> list[Any]:
        async with AsyncRedisCluster(host=HOST, port=cluster_port(cluster)) as client:
            some = asyncio.Semaphore(20)

            async def used(key: str) -> Any:
                async with some:
                    await client.set(key, key)
                    return await client.get(key)

            return await asyncio.gather(*[used(key) for key in KEYS])

    assert asyncio.run(use()) == [key.encode() for key in KEYS]


def test_any_node_serves_the_whole_store_on_its_gateway_port(cluster: Cluster) -> None:
    for label, node in cluster.nodes.items():
        with redis.Redis(port=node.ports.gateway) as client:
            pipeline = client.pipeline(transaction=False)
            for key in KEYS:
                pipeline.set(key, label)
            assert pipeline.execute() == [True] * len(KEYS)
            assert client.mget(KEYS) == [label.encode()] * len(KEYS)
            assert client.dbsize() == len(KEYS)
            assert sorted(client.scan_iter(count=17)) == sorted(key.encode() for key in KEYS)
            assert client.exists(*KEYS) == len(KEYS)
            assert client.delete(*KEYS[:100]) == 100
            assert len(client.keys()) == 200
            assert client.info("keyspace")["db0"]["keys"] == 200
            with pytest.raises(redis.ResponseError, match="PX0217"):
                client.mset(dict.fromkeys(KEYS[:10], 1))


@needs_benchmark
def test_redis_benchmark_runs_through_moves_joins_and_leaves_without_an_error(
    cluster: Cluster, program: str
) -> None:
    with benchmarked(cluster, program):
        for shard in (20, 120, 220):
            move(cluster, shard, owners(cluster)[shard] % 3 + 1)
        tell(cluster, {"join": {"4": ["n2", "n3", "n1"]}, "shared": True})
        wait_until(lambda: owners(cluster).count(4) == SHARDS_DEFAULT // 4, "the new one has some")
        tell(cluster, {"leave": [4]})
        wait_until(lambda: 4 not in owners(cluster), "it gave them up")


class Counting(threading.Thread):
    """Increments one counter in each of some shards, until it is told to stop."""

    def __init__(self, add: Callable[[str], Any], keys: list[str]) -> None:
        super().__init__()
        self._add = add
        self._keys = keys
        self.done = dict.fromkeys(keys, 0)
        self.errors: list[BaseException] = []
        self.stopped = False

    def run(self) -> None:
        while not self.stopped:
            for key in self._keys:
                try:
                    answer = int(self._add(key))
                except BaseException as error:
                    self.errors.append(error)
                    return
                self.done[key] += 1
                if answer != self.done[key]:
                    self.errors.append(AssertionError(f"{key}: {answer} for {self.done[key]}"))
                    return


def test_every_client_counts_right_while_its_shards_move(cluster: Cluster) -> None:
    gateway = redis.Redis(port=cluster.nodes["n2"].ports.gateway)
    routed = RedisCluster(host=HOST, port=cluster_port(cluster))
    own = pnyx.connect(f"pnyx://{HOST}:{cluster_port(cluster)}")
    keys = [next(key for key in KEYS if shard_of(key) in range(n, n + 6)) for n in (40, 100, 180)]
    counters = [
        Counting(client.incr, [f"{{{key}}}:{name}" for key in keys])
        for name, client in (("gateway", gateway), ("routed", routed), ("own", own))
    ]
    for counter in counters:
        counter.start()
    for _ in range(2):
        for key in keys:
            shard = shard_of(key)
            move(cluster, shard, owners(cluster)[shard] % 3 + 1)
    for counter in counters:
        counter.stopped = True
        counter.join(20)
        assert counter.errors == []
        for key, count in counter.done.items():
            assert count > 0
            assert int(own.get(key) or 0) == count
    own.close()
    routed.close()
    gateway.close()


def test_a_scan_on_the_gateway_port_misses_nothing_while_shards_move(cluster: Cluster) -> None:
    with redis.Redis(port=cluster.nodes["n3"].ports.gateway) as client:
        for key in KEYS:
            client.set(key, "v")
        cursor, found, moves = 0, set[bytes](), 0
        while True:
            cursor, keys = client.scan(cursor, count=25)
            found.update(keys)
            if cursor == 0:
                break
            shard = (cursor >> 48) * SHARDS_DEFAULT >> 14
            shard = min(shard + (moves % 2), SHARDS_DEFAULT - 1)
            if moves < 6:
                move(cluster, shard, owners(cluster)[shard] % 3 + 1)
            moves += 1
        assert found == {key.encode() for key in KEYS}


def test_redis_cluster_reads_its_map_again_when_it_is_told_of_a_move(cluster: Cluster) -> None:
    with RedisCluster(host=HOST, port=cluster_port(cluster), protocol=3) as client:
        key = KEYS[7]
        client.set(key, "v")
        shard, slot = shard_of(key), slot_of(key.encode())
        before = client.nodes_manager.slots_cache[slot][0].port
        move(cluster, shard, owners(cluster)[shard] % 3 + 1)

        def told() -> bool:
            # Whatever it says to that node makes it read what was pushed; never that key.
            for node in client.get_primaries():
                client.ping(target_nodes=node)
            return bool(client.nodes_manager.slots_cache[slot][0].port != before)

        wait_until(told, "the push is read and the map read again")
        assert client.get(key) == b"v"
    assert first_slot(shard, SHARDS_DEFAULT) <= slot


def test_a_node_that_dies_leaves_its_group_to_others_and_no_client_fails(cluster: Cluster) -> None:
    gateway = redis.Redis(port=cluster.nodes["n1"].ports.gateway)
    routed = RedisCluster(host=HOST, port=cluster_port(cluster))
    own = pnyx.connect(f"pnyx://{HOST}:{cluster_port(cluster)}")
    for key in KEYS[:60]:
        gateway.set(key, 0)
    cluster.kill("n3")
    for client in (gateway, routed, own):
        for key in KEYS[:60]:
            client.set(key, "v")
            assert client.get(key) == b"v"
    assert len(set(gateway.scan_iter())) == gateway.dbsize() == 60
    cluster.restart("n3")
    wait_until(lambda: led(cluster) == {1: "n1", 2: "n2", 3: "n3"}, "it leads its group again")
    own.close()
    routed.close()
    gateway.close()
