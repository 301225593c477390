"""Real clients on three real processes: does it work with theirs?"""

import asyncio
import subprocess

import pytest
import redis
import redis.asyncio
from redis.cluster import RedisCluster

from pnyx.harness.cluster import Cluster

pytestmark = pytest.mark.real

needs_cli = pytest.mark.parametrize("program", ["redis-cli"], indirect=True)
needs_benchmark = pytest.mark.parametrize("program", ["redis-benchmark"], indirect=True)


def gateway(cluster: Cluster, label: str) -> int:
    return cluster.nodes[label].ports.gateway


def typed(*words: str, status: int = 0) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py_reads_on_every_node_what_it_wrote_on_another(
    shared: Cluster, protocol: int
) -> None:
    for number, label in enumerate(shared.nodes):
        with redis.Redis(port=gateway(shared, label), protocol=protocol) as writer:
            assert writer.set("plain", f"{protocol}-{number}", ex=100) is True
        for other in shared.nodes:
            with redis.Redis(port=gateway(shared, other), protocol=protocol) as reader:
                assert reader.get("plain") == f"{protocol}-{number}".encode()
                assert 0 < reader.ttl("plain") <= 100


def test_a_transaction_whose_watched_key_changed_does_nothing(shared: Cluster) -> None:
    with (
        redis.Redis(port=gateway(shared, "n1")) as one,
        redis.Redis(port=gateway(shared, "n2")) as other,
    ):
        one.set("{t}watched", 1)
        with one.pipeline() as pipeline:
            pipeline.watch("{t}watched")
            other.set("{t}watched", 2)
            pipeline.multi()
            pipeline.set("{t}target", "never")
            with pytest.raises(redis.WatchError):
                pipeline.execute()
        assert one.get("{t}target") is None


def test_a_pipeline_comes_back_in_order(shared: Cluster) -> None:
    with redis.Redis(port=gateway(shared, "n2")) as client:
        pipeline = client.pipeline(transaction=False)
        client.delete("count")
        for _ in range(1_000):
            pipeline.incr("count")
        assert pipeline.execute() == list(range(1, 1_001))


def test_asyncio_clients_increment_one_key_at_the_same_time(shared: Cluster) -> None:
    async def count() -> int:
        clients = [redis.asyncio.Redis(port=gateway(shared, label)) for label in shared.nodes]
        await clients[0].delete("together")
        await asyncio.gather(*(client.incr("together") for client in clients for _ in range(50)))
        value = int(await clients[0].get("together") or 0)
        for client in clients:
            await client.aclose()
        return value

    assert asyncio.run(count()) == 150


def test_the_cluster_client_finds_the_leader_from_any_node(shared: Cluster) -> None:
    for node in shared.nodes.values():
        with RedisCluster(host=node.host, port=node.ports.cluster) as client:
            keys = [f"spread:{number}" for number in range(100)]
            for key in keys:
                assert client.set(key, key) is True
            assert [client.get(key) for key in keys] == [key.encode() for key in keys]
            primaries = {primary.port for primary in client.get_primaries()}
            assert primaries == {shared.nodes[shared.wait_for_leader()].ports.cluster}


def test_the_asyncio_cluster_client_works_too(shared: Cluster) -> None:
    async def roundtrip() -> object:
        port = shared.nodes["n3"].ports.cluster
        async with redis.asyncio.cluster.RedisCluster(host="127.0.0.1", port=port) as client:
            await client.set("asynchronous", "yes")
            return await client.get("asynchronous")

    assert asyncio.run(roundtrip()) == b"yes"


@needs_cli
def test_redis_cli_gets_what_it_set(shared: Cluster, program: str) -> None:
    port = str(gateway(shared, "n3"))
    assert typed(program, "-p", port, "set", "typed", "hello") == "OK\n"
    assert typed(program, "-p", port, "-3", "get", "typed") == "hello\n"
    assert "redis_mode:standalone" in typed(program, "-p", port, "info", "server")


@needs_cli
def test_redis_cli_follows_moved_to_the_leader(shared: Cluster, program: str) -> None:
    leader = shared.wait_for_leader()
    follower = next(label for label in shared.nodes if label != leader)
    port = str(shared.nodes[follower].ports.cluster)
    moved = typed(program, "-p", port, "set", "routed", "1", status=0)
    assert f":{shared.nodes[leader].ports.cluster}" in moved
    assert moved.startswith("MOVED ")
    assert typed(program, "-c", "-p", port, "set", "routed", "1").endswith("OK\n")
    assert typed(program, "-c", "-p", port, "get", "routed").endswith("1\n")


@needs_cli
def test_redis_cli_finds_the_cluster_whole(shared: Cluster, program: str) -> None:
    port = str(shared.nodes["n1"].ports.cluster)
    assert "cluster_state:ok" in typed(program, "-p", port, "cluster", "info")
    lines = typed(program, "-p", port, "cluster", "nodes").strip().splitlines()
    assert len(lines) == 3
    assert sum("master" in line and "0-16383" in line for line in lines) == 1
    assert sum("slave" in line for line in lines) == 2


@needs_benchmark
@pytest.mark.parametrize("pipeline", ["1", "16"])
def test_redis_benchmark_runs_its_strings(shared: Cluster, program: str, pipeline: str) -> None:
    port = str(gateway(shared, "n1"))
    words = ["-p", port, "-t", "ping,set,get,incr,mset", "-n", "2000", "-c", "20", "-P", pipeline]
    out = typed(program, *words, "-r", "1000", "--csv")
    assert all(f'"{name}' in out for name in ("PING_INLINE", "SET", "GET", "INCR", "MSET"))


@needs_benchmark
def test_redis_benchmark_runs_on_the_leaders_cluster_port(shared: Cluster, program: str) -> None:
    # Its own --cluster mode wants two masters at least, and one group has one leader.
    port = str(shared.nodes[shared.wait_for_leader()].ports.cluster)
    out = typed(program, "-p", port, "-t", "set,get", "-n", "2000", "-c", "20")
    assert "throughput summary" in out
