"""Do clients notice that groups join and leave, but for what a move may cost?"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import pnyx
from pnyx.admin import page
from pnyx.harness.cluster import Cluster

pytestmark = pytest.mark.real

CLIENTS = 6
KEYS = 40
"""That each client increments."""
SHARDS = 16
SETTLE_S = 60.0


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(settings={"shards": SHARDS}) as nodes:
        nodes.start()
        nodes.wait_healthy()
        yield nodes


def tell(cluster: Cluster, words: object) -> Any:
    """Tell the controller by any node; return its result."""
    body = json.dumps(words).encode()
    answer = page.ask(*cluster.http_addresses()["n2"], "/v1/controller", body=body, timeout_s=10)
    told = json.loads(answer)
    assert told["outcome"] == "done", told
    return told["result"]


def owners(cluster: Cluster) -> list[int]:
    """Wait until no move is under way; return who serves each shard."""
    end = time.monotonic() + SETTLE_S
    while time.monotonic() < end:
        shards = tell(cluster, {"whereabouts": None})["shards"]
        if all(shard["destination"] == 0 for shard in shards):
            return [shard["group"] for shard in shards]
        time.sleep(0.1)
    raise AssertionError(f"moves are not over after {SETTLE_S:g} s: {moves(cluster, 'under_way')}")


def moves(cluster: Cluster, which: str) -> list[Any]:
    told = [
        json.loads(page.ask(*place, "/v1/moves")) for place in cluster.http_addresses().values()
    ]
    return [move for each in told for move in each[which]]


def while_clients_count(cluster: Cluster, work: Callable[[], None]) -> int:
    """Let session clients increment keys of all shards during `work`; judge every counter."""
    ports = [node.ports.gateway for node in cluster.nodes.values()]
    url = "pnyx://" + ",".join(f"127.0.0.1:{port}" for port in ports)
    over = threading.Event()
    errors: list[BaseException] = []
    counts = [[0] * KEYS for _ in range(CLIENTS)]
    with pnyx.connect(url, timeout_s=30) as client:

        def count(number: int) -> None:
            try:
                step = 0
                while not over.is_set():
                    key, step = step % KEYS, step + 1
                    told = client.incr(f"count:{number}:{key}")
                    counts[number][key] += 1
                    assert told == counts[number][key], "an increment is done once"
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=count, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            work()
        finally:
            over.set()
            for thread in threads:
                thread.join(60)
        assert errors == []
        for number, expected in enumerate(counts):
            held = client.mget(f"count:{number}:{key}" for key in range(KEYS))
            assert held == [b"%d" % value if value else None for value in expected]
    return sum(map(sum, counts))


def test_groups_join_and_leave_under_session_clients_and_every_increment_is_done_once(
    cluster: Cluster,
) -> None:
    def work() -> None:
        tell(cluster, {"join": {"2": ["n2", "n3", "n1"]}, "shared": True})
        assert sorted(owners(cluster)) == [1] * 8 + [2] * 8
        tell(cluster, {"join": {"3": ["n3", "n1", "n2"]}, "shared": True})
        assert {owners(cluster).count(group) for group in (1, 2, 3)} == {5, 6}
        tell(cluster, {"leave": [1]})
        assert sorted(owners(cluster)) == [2] * 8 + [3] * 8

    assert while_clients_count(cluster, work) > KEYS
    ended = moves(cluster, "ended")
    assert len(ended) >= 8 + 5 + 5
    assert {move["stage"] for move in ended} == {"activated"}


def test_a_join_goes_on_when_nodes_are_killed(cluster: Cluster) -> None:
    def work() -> None:
        tell(cluster, {"join": {"2": ["n2", "n3", "n1"]}, "shared": True})
        for label in ("n3", "n1", "n2"):
            cluster.kill(label)
            time.sleep(0.5)
            cluster.restart(label)
            cluster.wait_healthy()
        assert sorted(owners(cluster)) == [1] * 8 + [2] * 8

    assert while_clients_count(cluster, work) > KEYS
