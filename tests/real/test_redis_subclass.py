"""Does redis-py with numbers do each write once, and everything else as redis-py does?"""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import redis
from redis.exceptions import RedisClusterException

from pnyx.client.errors import CrossSlot
from pnyx.harness.cluster import Cluster
from pnyx.redis import OutcomeUnknown, Redis, RedisCluster
from real.test_exactly_once import while_leaders_die

pytestmark = pytest.mark.real


def of(cluster: Cluster, label: str = "n1", **options: Any) -> Redis:
    return Redis(port=cluster.nodes[label].ports.gateway, **options)


def of_slots(cluster: Cluster) -> RedisCluster:
    return RedisCluster(host="127.0.0.1", port=cluster.nodes["n1"].ports.cluster)


def test_it_answers_as_redis_py_does(shared: Cluster) -> None:
    with of(shared, decode_responses=True) as client:
        client.delete("a", "b", "{t}a", "{t}b")
        assert client.set("a", 1, ex=100) is True
        assert client.incr("a") == 2
        assert client.mget("a", "b") == ["2", None]
        assert client.config_get("maxmemory-policy") is not None
        assert client.pipeline().incr("{t}a").get("{t}a").execute() == [1, "1"]
        piped = client.pipeline(transaction=False)
        for _ in range(700):
            piped.incr("b").get("a")
        assert piped.execute()[-2:] == [700, "2"]
        assert (
            client.pipeline(transaction=False)
            .set("a", "x")
            .incr("a")
            .execute(raise_on_error=False)[0]
            is True
        )
        with pytest.raises(redis.ResponseError, match="not an integer"):
            client.incr("a")
        assert client.transaction(lambda queue: queue.incr("{t}b")) == [1]


def test_what_cannot_be_done_once_is_refused(shared: Cluster) -> None:
    with of(shared) as client, pytest.raises(CrossSlot):
        client.pipeline().incr("a").incr("b").execute()
    with (
        of_slots(shared) as client,
        pytest.raises(RedisClusterException, match="no pipelines"),
    ):
        client.pipeline()


def test_a_cluster_client_does_commands_over_several_slots_slot_by_slot(shared: Cluster) -> None:
    with of_slots(shared) as client:
        client.delete("a", "b", "c")
        assert client.mset_nonatomic({"a": 1, "b": 2}) == [True, True]
        assert client.mget_nonatomic("b", "none", "a") == [b"2", None, b"1"]
        assert client.exists("a", "b", "c") == client.touch("a", "b", "c") == 2
        assert client.unlink("a", "c") == 1
        assert client.delete("a", "b") == 1
        assert client.delete("b") == 0


def each_of(cluster: Cluster, number: int) -> Any:
    label = f"n{number % 3 + 1}"
    if number % 2:
        port = cluster.nodes[label].ports.cluster
        return RedisCluster(host="127.0.0.1", port=port, once_timeout_s=60)
    return of(cluster, label, once_timeout_s=60)


def in_threads(work: Callable[[int], None], count: int) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_increments_under_kills_are_done_exactly_once() -> None:
    errors: list[BaseException] = []
    with Cluster() as cluster:
        cluster.start()
        cluster.wait_healthy()
        clients = [each_of(cluster, number) for number in range(4)]

        def work(number: int) -> None:
            try:
                for _ in range(50):
                    clients[number].incr("count")
                    if number % 2 == 0:
                        clients[number].pipeline().incr("{t}a").append("{t}b", "x").execute()
                        queue = clients[number].pipeline(transaction=False)
                        queue.incr("piped").incr("piped").execute()
            except BaseException as error:
                errors.append(error)

        while_leaders_die(cluster, lambda: in_threads(work, 4), kills=2)
        assert errors == []
        with of(cluster) as reader:
            assert reader.mget("count", "{t}a", "piped") == [b"200", b"100", b"200"]
            assert reader.get("{t}b") == b"x" * 100


def test_a_watched_transaction_whose_answer_is_lost_says_that_it_is_unknown() -> None:
    with Cluster() as cluster:
        cluster.start()
        cluster.wait_healthy()
        leader = cluster.wait_for_leader()
        with of(cluster, leader, socket_timeout=2.0) as client:
            client.incr("{t}a")
            queue = client.pipeline()
            queue.watch("{t}a")
            queue.multi()
            queue.incr("{t}a")
            cluster.pause(leader)
            with pytest.raises(OutcomeUnknown):
                queue.execute()
