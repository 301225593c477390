"""What a move costs: how long nobody serves the shard, how fast it goes, what clients notice."""

import os
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from pnyx.admin import controller, page
from pnyx.harness.bench import usage
from pnyx.harness.cluster import Cluster
from pnyx.harness.resp import Connection, Refused
from pnyx.machine.shards import SHARDS_DEFAULT, shard_of_slot
from pnyx.machine.slots import slot_of
from pnyx.node.settings import LimitsTable

TAG: Final = b"{moved}"
SHARD: Final = shard_of_slot(slot_of(TAG), SHARDS_DEFAULT)
MEGABYTE: Final = 1_000_000
BATCH_BYTES: Final = 512 * 1024
CLIENTS: Final = 4
KEYS: Final = 10_000
MOVE_S_LEAST: Final = 120.0
"""So long a small one is waited for on a machine that is busy."""
PATIENCE: Final = 2
"""How much slower than the usual rate a copy may be before it is given up."""
REFUSALS_MAX: Final = 5
POLL_S: Final = 0.25
"""How often the nodes are asked: that costs them milliseconds, too."""

Say = Callable[[str], None]


class _Ended(msgspec.Struct):
    shard: int
    epoch: int
    stage: str
    copied_bytes: int
    elapsed_ms: int
    freeze_ms: int


class _Moves(msgspec.Struct):
    ended: list[_Ended]


@dataclass(frozen=True, slots=True)
class Moved:
    """A shard of one size, moved back and forth."""

    shard_bytes: int
    limited: bool
    """Was it copied at the nodes' usual rate? Otherwise as fast as it goes."""
    freezes_ms: Sequence[int]
    """Of each move, ascending: from the request to freeze until it was served elsewhere."""
    copied_bytes_s: float
    """The median, freeze included."""
    before_ms: float
    """p99 of SETs of all shards, no shard moving."""
    during_ms: float
    """The same while the shard moved."""
    cpu_s_per_mb: float
    """Of all nodes together, clients' commands included."""
    refused: int
    """SETs that got an error, moves or not."""
    refusals: Sequence[str]
    """The first of their texts."""
    resident_bytes: int
    """Of the largest node, at the end."""


def moves(shard_bytes: int, value_bytes: int, times: int, say: Say, *, limited: bool) -> Moved:
    """Move one shard between two groups on the same three nodes, `times`, while clients write.

    `limited`: at the rate that nodes have without a setting, else as fast as it goes.
    """
    settings = {"groups": 2} | ({} if limited else {"limits.move_rate_bytes": 0})
    with Cluster(settings=settings) as cluster:
        cluster.start()
        cluster.wait_healthy()
        _fill(cluster, shard_bytes, value_bytes)
        say(f"moves    {shard_bytes // MEGABYTE} MB in the shard")
        clients = _Clients(cluster)
        pids = [node.pid for node in cluster.nodes.values() if node.pid is not None]
        try:
            time.sleep(5)
            before_ms = clients.take_p99_ms()
            began_cpu_s = usage.cpu_s(pids)
            ended = [_move(cluster, within_s(shard_bytes), say) for _ in range(times)]
            cpu_s = usage.cpu_s(pids) - began_cpu_s
            during_ms = clients.take_p99_ms()
        finally:
            clients.stop()
        copied = sum(move.copied_bytes for move in ended)
        return Moved(
            shard_bytes,
            limited,
            sorted(move.freeze_ms for move in ended),
            statistics.median(1_000 * move.copied_bytes / move.elapsed_ms for move in ended),
            before_ms,
            during_ms,
            cpu_s / (copied / MEGABYTE),
            clients.refused,
            clients.refusals,
            max(usage.resident_bytes(pid) for pid in pids),
        )


def summary(measured: Sequence[Moved]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = [
        "| shard | rate | moves | freeze p50 / p99 | copied | SET p99 before, during | "
        "errors | CPU of all nodes | largest node |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in measured:
        freezes = one.freezes_ms
        p50, p99 = freezes[len(freezes) // 2], freezes[int(0.99 * len(freezes))]
        lines.append(
            f"| {one.shard_bytes / MEGABYTE:.0f} MB | {'usual' if one.limited else 'unlimited'} | "
            f"{len(freezes)} | {p50} / {p99} ms | "
            f"{one.copied_bytes_s / MEGABYTE:.1f} MB/s | {one.before_ms:.0f}, "
            f"{one.during_ms:.0f} ms ({one.during_ms / one.before_ms:.1f}x) | {one.refused} | "
            f"{1_000 * one.cpu_s_per_mb:.0f} ms/MB | {one.resident_bytes / 2**20:.0f} MiB |"
        )
    texts = Counter(text for one in measured for text in one.refusals)
    return [*lines, *[f"\n{count} SETs were told: {text}" for text, count in texts.items()]]


def within_s(shard_bytes: int) -> float:
    """Return how long a move of so much is waited for, seconds."""
    return MOVE_S_LEAST + PATIENCE * shard_bytes / LimitsTable().move_rate_bytes


def _fill(cluster: Cluster, shard_bytes: int, value_bytes: int) -> None:
    connection = cluster.connect("n1", timeout_s=60)
    value = os.urandom(value_bytes)
    count, batch = shard_bytes // value_bytes, max(1, BATCH_BYTES // value_bytes)
    for first in range(0, count, batch):
        keys = range(first, min(first + batch, count))
        connection.pipeline([("SET", TAG + b"%d" % number, value) for number in keys])
    connection.close()


def _move(cluster: Cluster, patience_s: float, say: Say) -> _Ended:
    asked = controller.Cluster(cluster.http_addresses())
    serving = controller.maps(asked).directory.shards[SHARD]
    controller.change(asked, controller.moving(SHARD, 3 - serving.group))
    until_s = time.monotonic() + patience_s
    while time.monotonic() < until_s:
        for place in cluster.http_addresses().values():
            try:
                told = msgspec.json.decode(page.ask(*place, "/v1/moves"), type=_Moves)
            except page.NoAnswer as error:
                # Busy, most likely: it is asked again until patience is over.
                say(f"moves    {error.effect}: {error.cause}")
                continue
            for move in told.ended:
                if (move.shard, move.epoch) == (SHARD, serving.epoch):
                    say(f"moves    {move.stage}: frozen for {move.freeze_ms} ms")
                    return move
        time.sleep(POLL_S)
    raise AssertionError(f"a move of shard {SHARD} is over within {patience_s:g} s")


class _Clients:
    """They write keys of all shards, each one at a time."""

    def __init__(self, cluster: Cluster) -> None:
        self._stop = threading.Event()
        self._spans_ms: list[float] = []
        self.refused = 0
        self.refusals: list[str] = []
        labels = list(cluster.nodes)
        connections = [
            cluster.connect(labels[number % len(labels)], timeout_s=10) for number in range(CLIENTS)
        ]
        self._threads = [
            threading.Thread(target=self._write, args=(number, connection), daemon=True)
            for number, connection in enumerate(connections)
        ]
        for thread in self._threads:
            thread.start()

    def take_p99_ms(self) -> float:
        """Return the 99th of a hundred of what was measured since the last call."""
        spans, self._spans_ms = sorted(self._spans_ms), []
        return spans[int(0.99 * len(spans))]

    def stop(self) -> None:
        """End the threads."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=15)

    def _write(self, number: int, connection: Connection) -> None:
        step = 0
        while not self._stop.is_set():
            step += 1
            began_s = time.perf_counter()
            try:
                connection.call("SET", b"key:%d:%d" % (number, step % KEYS), b"v" * 64)
            except Refused as refusal:
                self.refused += 1
                if len(self.refusals) < REFUSALS_MAX:
                    self.refusals.append(str(refusal))
            self._spans_ms.append(1_000 * (time.perf_counter() - began_s))
