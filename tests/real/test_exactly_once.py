"""Are writes of clients done once, all of them, while leaders are killed?"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from time import monotonic

import pytest

import pnyx
from pnyx.harness.cluster import Cluster

pytestmark = pytest.mark.real

CLIENTS = 6
PER_CLIENT = 60


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster() as nodes:
        nodes.start()
        nodes.wait_healthy()
        yield nodes


def url(cluster: Cluster, kind: str) -> str:
    ports = [getattr(node.ports, kind) for node in cluster.nodes.values()]
    return "pnyx://" + ",".join(f"127.0.0.1:{port}" for port in ports)


def while_leaders_die(cluster: Cluster, work: Callable[[], None], kills: int) -> None:
    """Kill and restart leaders until the work is done, `kills` times at least."""
    thread = threading.Thread(target=work)
    thread.start()
    count = 0
    end = monotonic() + 120
    while (thread.is_alive() or count < kills) and monotonic() < end:
        leader = cluster.wait_for_leader()
        cluster.kill(leader)
        count += 1
        cluster.restart(leader)
        thread.join(1.0)
    thread.join(60)
    assert not thread.is_alive(), "a client waited without end"


@pytest.mark.parametrize("kind", ["cluster", "gateway"])
def test_increments_and_appends_under_kills_are_done_exactly_once(
    cluster: Cluster, kind: str
) -> None:
    errors: list[BaseException] = []
    with pnyx.connect(url(cluster, kind), timeout_s=60) as client:

        def write(number: int) -> None:
            try:
                for step in range(PER_CLIENT):
                    client.incr("count")
                    client.append(f"log:{number}", f"{step};")
            except BaseException as error:
                errors.append(error)

        def work() -> None:
            threads = [threading.Thread(target=write, args=(n,)) for n in range(CLIENTS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        while_leaders_die(cluster, work, kills=2)
        assert errors == []
        assert client.get("count") == b"%d" % (CLIENTS * PER_CLIENT)
        expected = "".join(f"{step};" for step in range(PER_CLIENT)).encode()
        assert client.mget(f"log:{n}" for n in range(CLIENTS)) == [expected] * CLIENTS


def test_asyncio_pipelines_and_transactions_under_kills_are_done_exactly_once(
    cluster: Cluster,
) -> None:
    async def move(client: pnyx.aio.AsyncPnyx[bytes]) -> None:
        async def step(transaction: pnyx.aio.Transaction) -> None:
            left = int(await transaction.get("{t}a") or 0)
            transaction.multi()
            transaction.set("{t}a", left + 1).incr("{t}b")

        for _ in range(PER_CLIENT // 4):
            await client.transaction(step, "{t}a")
            pipeline = client.pipeline()
            for _ in range(40):
                pipeline.incr("piped")
            await pipeline.execute()

    async def run() -> list[bytes | None]:
        async with await pnyx.aio.connect(url(cluster, "cluster"), timeout_s=60) as client:
            await asyncio.gather(*(move(client) for _ in range(4)))
            return await client.mget("{t}a", "{t}b", "piped")

    found: list[list[bytes | None]] = []
    while_leaders_die(cluster, lambda: found.append(asyncio.run(run())), kills=1)
    times = 4 * (PER_CLIENT // 4)
    assert found == [[b"%d" % times, b"%d" % times, b"%d" % (times * 40)]]


def test_without_sessions_a_broken_write_is_not_sent_again(cluster: Cluster) -> None:
    with pnyx.connect(url(cluster, "cluster"), exactly_once=False, timeout_s=8) as client:
        client.incr("count")
        cluster.pause(cluster.wait_for_leader())
        with pytest.raises(pnyx.Timeout) as raised:
            client.incr("count")
        cluster.heal()
        assert raised.value.outcome in {"unknown", "not_applied"}
        value = int(client.get("count") or 0)
        assert value == 1 if raised.value.outcome == "not_applied" else value in {1, 2}
