"""Clients with sessions that increment, append and read, and remember what they were told."""

import random
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import redis

import pnyx
from pnyx.harness.cluster import Cluster
from pnyx.lab.history import History
from pnyx.lab.linearizability import judge
from pnyx.redis import OutcomeUnknown, Redis

CLIENTS = 20
TEXTS = 10
STEPS_PER_TEXT = 60
"""Of each client: then fresh keys, for a key's history is judged alone, and so stays short."""
COUNTERS = 12
FINAL = CLIENTS
"""Who reads all texts at the end."""


@dataclass
class Seen:
    """What all clients asked and heard."""

    history: History = field(default_factory=lambda: History("kv-append"))
    lock: threading.Lock = field(default_factory=threading.Lock)
    counts: dict[str, list[int]] = field(default_factory=dict)
    """What acknowledged increments of each counter were told."""
    doubtful: dict[str, int] = field(default_factory=dict)
    """Increments of unknown outcome, by counter."""
    texts: set[str] = field(default_factory=set)
    wrong: list[BaseException] = field(default_factory=list)

    @property
    def counted(self) -> int:
        """Acknowledged increments."""
        return sum(map(len, self.counts.values()))

    def in_numbers(self) -> str:
        operations = self.history.operations()
        appended = sum(one.function == "append" and one.outcome == "ok" for one in operations)
        return (
            f"{self.counted} increments, {sum(self.doubtful.values())} in doubt, "
            f"{appended} appends, {len(operations)} operations judged"
        )


def unknown(error: BaseException) -> bool:
    """Whether the write may have been done; False: surely not."""
    return isinstance(error, OutcomeUnknown) or getattr(error, "outcome", None) == "unknown"


def one_client(client: Any, number: int, seen: Seen, stop: threading.Event) -> None:
    draw = random.Random(number)
    step = 0
    try:
        while not stop.is_set():
            increment(client, seen, f"count:{draw.randrange(COUNTERS)}")
            key = f"text:{step // STEPS_PER_TEXT}:{draw.randrange(TEXTS)}"
            if draw.random() < 0.5:
                append(client, seen, number, key, f"{number}.{step};")
            else:
                read(client, seen, number, key)
            step += 1
    except BaseException as error:
        seen.wrong.append(error)


def increment(client: Any, seen: Seen, key: str) -> None:
    try:
        told = client.incr(key)
    except (pnyx.PnyxError, redis.RedisError) as error:
        with seen.lock:
            seen.doubtful[key] = seen.doubtful.get(key, 0) + unknown(error)
    else:
        with seen.lock:
            seen.counts.setdefault(key, []).append(told)


def append(client: Any, seen: Seen, number: int, key: str, text: str) -> None:
    with seen.lock:
        seen.texts.add(key)
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
    """Return a client of that kind; they begin at different nodes and ports."""
    ports = [node.ports for node in cluster.nodes.values()]
    if kind == "redis-py":
        return Redis(port=ports[number % len(ports)].gateway, once_timeout_s=8)
    order = [ports[(number + at) % len(ports)] for at in range(len(ports))]
    places = (own.cluster if number % 2 else own.gateway for own in order)
    return pnyx.connect("pnyx://" + ",".join(f"127.0.0.1:{port}" for port in places), timeout_s=8)


def seen_during(cluster: Cluster, kind: str, work: Callable[[], None]) -> Seen:
    """Return what the clients saw while `work` was done, and the texts after it."""
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
            work()
        finally:
            stop.set()
            for thread in threads:
                thread.join(60)
        assert not any(thread.is_alive() for thread in threads), "a client waited without end"
        for key in sorted(seen.texts):
            read(clients[0], seen, FINAL, key)
    return seen


def check(cluster: Cluster, seen: Seen) -> None:
    """Every acknowledged effect is there once, others at most once, and the history is right."""
    assert seen.wrong == []
    with pnyx.connect(f"pnyx://127.0.0.1:{cluster.nodes['n1'].ports.gateway}") as client:
        held = {key: int(client.get(key) or 0) for key in seen.counts}
    for key, told in seen.counts.items():
        assert len(set(told)) == len(told), f"two increments of {key} were told the same"
        assert len(told) <= held[key] <= len(told) + seen.doubtful.get(key, 0), key
    operations = seen.history.operations()
    finals = {
        one.key: str(one.value).split(";")
        for one in operations
        if one.process == FINAL and one.outcome == "ok"
    }
    for one in operations:
        if one.function == "append":
            count = finals[one.key].count(str(one.arguments[0]).removesuffix(";"))
            assert count in {"ok": {1}, "info": {0, 1}, "fail": {0}}[one.outcome], one
    assert judge(seen.history).word == "linearizable"
