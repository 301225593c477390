"""Do clients with sessions have each write done once, under kill -9 and partitions?

What they saw is judged twice: by count, for the store must end with exactly what was acknowledged,
plus what nobody knows of at most once; and by the Lab's judge of histories, which knows nothing of
pnyx.
"""

import random
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import pytest
import redis

import pnyx
from pnyx.harness.cluster import Cluster
from pnyx.lab.history import History
from pnyx.lab.linearizability import judge
from pnyx.redis import OutcomeUnknown, Redis

pytestmark = pytest.mark.real

CLIENTS = 20
KEYS = 10
"""A key's history is judged alone, and so is short."""
APPENDS_MAX = 60
"""Of one client: then it reads, so that histories stay judgeable."""
KINDS = ("pnyx", "redis-py")


@dataclass
class Seen:
    """What all clients asked and heard."""

    history: History = field(default_factory=lambda: History("kv-append"))
    lock: threading.Lock = field(default_factory=threading.Lock)
    counted: int = 0
    """Acknowledged increments."""
    doubtful: int = 0
    """Increments of unknown outcome."""
    wrong: list[BaseException] = field(default_factory=list)


def unknown(error: BaseException) -> bool:
    """Whether the write may have been done; False: surely not."""
    return isinstance(error, OutcomeUnknown) or getattr(error, "outcome", None) == "unknown"


def one_client(client: Any, number: int, seen: Seen, stop: threading.Event) -> None:
    draw = random.Random(number)
    step = 0
    try:
        while not stop.is_set():
            step += 1
            increment(client, seen)
            key = f"text:{draw.randrange(KEYS)}"
            if draw.random() < 0.5 and step < APPENDS_MAX:
                append(client, seen, number, key, f"{number}.{step};")
            else:
                read(client, seen, number, key)
    except BaseException as error:
        seen.wrong.append(error)


def increment(client: Any, seen: Seen) -> None:
    try:
        client.incr("count")
    except (pnyx.PnyxError, redis.RedisError) as error:
        with seen.lock:
            seen.doubtful += unknown(error)
    else:
        with seen.lock:
            seen.counted += 1


def append(client: Any, seen: Seen, number: int, key: str, text: str) -> None:
    with seen.lock:
        call = seen.history.call(number, "append", key, [text])
    try:
        length = client.append(key, text)
    except (pnyx.PnyxError, redis.RedisError) as error:
        with seen.lock:
            seen.history.returned(call, "info" if unknown(error) else "fail")
    else:
        with seen.lock:
            seen.history.returned(call, "ok", length)


def read(client: Any, seen: Seen, number: int, key: str) -> None:
    with seen.lock:
        call = seen.history.call(number, "get", key)
    try:
        value = client.get(key)
    except (pnyx.PnyxError, redis.RedisError):
        with seen.lock:
            seen.history.returned(call, "fail")
    else:
        with seen.lock:
            seen.history.returned(call, "ok", (value or b"").decode())


def connected(cluster: Cluster, kind: str, number: int) -> Any:
    ports = [node.ports for node in cluster.nodes.values()]
    if kind == "redis-py":
        return Redis(port=ports[number % len(ports)].gateway, once_timeout_s=8)
    order = [ports[(number + at) % len(ports)] for at in range(len(ports))]
    places = (own.cluster if number % 2 else own.gateway for own in order)
    return pnyx.connect("pnyx://" + ",".join(f"127.0.0.1:{port}" for port in places), timeout_s=8)


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


def seen_under_faults(cluster: Cluster, kind: str, seconds: float) -> Seen:
    seen, stop = Seen(), threading.Event()
    with ExitStack() as stack:
        clients = [stack.enter_context(connected(cluster, kind, n)) for n in range(CLIENTS)]
        threads = [
            threading.Thread(target=one_client, args=(client, number, seen, stop))
            for number, client in enumerate(clients)
        ]
        for thread in threads:
            thread.start()
        try:
            hurt(cluster, seconds, random.Random(kind))
        finally:
            stop.set()
            for thread in threads:
                thread.join(60)
        assert not any(thread.is_alive() for thread in threads), "a client waited without end"
        for key in range(KEYS):
            read(clients[0], seen, CLIENTS, f"text:{key}")
    return seen


def check(cluster: Cluster, kind: str, seconds: float) -> None:
    seen = seen_under_faults(cluster, kind, seconds)
    assert seen.wrong == []
    with pnyx.connect(f"pnyx://127.0.0.1:{cluster.nodes['n1'].ports.gateway}") as client:
        count = int(client.get("count") or 0)
    assert seen.counted > 20 * seconds, "the clients got something done"
    assert seen.counted <= count <= seen.counted + seen.doubtful
    operations = seen.history.operations()
    assert sum(one.function == "append" and one.outcome == "ok" for one in operations) > 100
    assert judge(seen.history).word == "linearizable"
    print(f"{kind}: {seen.counted} increments, {seen.doubtful} in doubt, {len(operations)} judged")


@pytest.mark.parametrize("kind", KINDS)
def test_ten_seconds_of_faults_leave_exactly_what_was_acknowledged(kind: str) -> None:
    with Cluster() as cluster:
        cluster.start()
        cluster.wait_healthy()
        check(cluster, kind, 10)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_minute_of_faults_leaves_exactly_what_was_acknowledged(kind: str) -> None:
    with Cluster() as cluster:
        cluster.start()
        cluster.wait_healthy()
        check(cluster, kind, 60)
