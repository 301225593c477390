"""Does redis-py's asyncio client with numbers do each write once, and all else as redis-py does?"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis
from redis.exceptions import RedisClusterException

from pnyx.client.errors import CrossSlot
from pnyx.harness.cluster import Cluster
from pnyx.redis.asyncio import OutcomeUnknown, Pipeline, Redis, RedisCluster
from real.test_exactly_once import while_leaders_die

pytestmark = pytest.mark.real


def of(cluster: Cluster, label: str = "n1", **options: Any) -> Redis:
    return Redis(port=cluster.nodes[label].ports.gateway, **options)


def of_slots(cluster: Cluster, label: str = "n1", **options: Any) -> RedisCluster:
    port = cluster.nodes[label].ports.cluster
    return RedisCluster(host="127.0.0.1", port=port, **options)


async def both(queue: Pipeline, first: str, second: str, key: str = "piped") -> list[Any]:
    """Queue two commands on one key: redis-py's types do not let them be chained."""
    getattr(queue, first)(key)
    getattr(queue, second)(key)
    return await queue.execute()


def test_it_answers_as_redis_py_does(shared: Cluster) -> None:
    async def roundtrip() -> None:
        async with of(shared, decode_responses=True) as client:
            await client.delete("a", "b", "{t}a", "{t}b")
            assert await client.set("a", 1, ex=100) is True
            assert await client.incr("a") == 2
            assert await client.mget("a", "b") == ["2", None]
            assert await both(client.pipeline(), "incr", "get", "{t}a") == [1, "1"]
            piped = client.pipeline(transaction=False)
            for _ in range(300):
                piped.incr("b")
                piped.get("a")
            assert (await piped.execute())[-2:] == [300, "2"]
            await client.set("a", "x")
            with pytest.raises(redis.ResponseError, match="not an integer"):
                await client.incr("a")
            queue = client.pipeline()
            queue.incr("a")
            queue.incr("b")
            with pytest.raises(CrossSlot):
                await queue.execute()
        async with of_slots(shared) as client:
            assert await client.incr("{t}b") == 1
            with pytest.raises(RedisClusterException, match="no pipelines"):
                client.pipeline()

    asyncio.run(roundtrip())


def test_a_cluster_client_does_commands_over_several_slots_slot_by_slot(shared: Cluster) -> None:
    async def roundtrip() -> None:
        async with of_slots(shared) as client:
            await client.delete("a", "b", "c")
            assert await client.mset_nonatomic({"a": 1, "b": 2}) == [True, True]
            assert await client.mget_nonatomic("b", "none", "a") == [b"2", None, b"1"]
            assert await client.exists("a", "b", "c") == await client.touch("a", "b", "c") == 2
            assert await client.unlink("a", "c") == 1
            assert await client.delete("a", "b") == 1
            assert await client.delete("b") == 0

    asyncio.run(roundtrip())


def test_increments_under_kills_are_done_exactly_once() -> None:
    async def write(kind: Callable[..., Any], cluster: Cluster, label: str) -> None:
        # Not as a context: that would connect before it is tried again what a kill breaks.
        client = kind(cluster, label, once_timeout_s=60)
        for _ in range(50):
            await client.incr("count")
            if isinstance(client, Redis):
                queue = client.pipeline()
                queue.incr("{t}a")
                queue.append("{t}b", "x")
                await queue.execute()
                assert len(await both(client.pipeline(transaction=False), "incr", "incr")) == 2
        await client.aclose()

    async def all_of(cluster: Cluster) -> None:
        kinds = ((of, "n1"), (of_slots, "n2"), (of, "n3"), (of_slots, "n1"))
        work: list[Awaitable[None]] = [write(kind, cluster, label) for kind, label in kinds]
        await asyncio.gather(*work)

    async def found(cluster: Cluster) -> list[Any]:
        async with of(cluster) as reader:
            return [*await reader.mget("count", "{t}a", "piped"), await reader.get("{t}b")]

    with Cluster() as cluster:
        cluster.start()
        cluster.wait_healthy()
        while_leaders_die(cluster, lambda: asyncio.run(all_of(cluster)), kills=2)
        assert asyncio.run(found(cluster)) == [b"200", b"100", b"200", b"x" * 100]


def test_a_watched_transaction_whose_answer_is_lost_says_that_it_is_unknown() -> None:
    async def lose(cluster: Cluster, leader: str) -> None:
        async with of(cluster, leader, socket_timeout=2.0) as client:
            await client.incr("{t}a")
            queue = client.pipeline()
            await queue.watch("{t}a")
            queue.multi()  # type: ignore[no-untyped-call]
            queue.incr("{t}a")
            cluster.pause(leader)
            with pytest.raises(OutcomeUnknown):
                await queue.execute()

    with Cluster() as cluster:
        cluster.start()
        cluster.wait_healthy()
        asyncio.run(lose(cluster, cluster.wait_for_leader()))
