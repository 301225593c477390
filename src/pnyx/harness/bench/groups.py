"""What many groups cost on the same three nodes: writes of all of them, and idleness."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from pnyx.admin.health import CONTROLLER
from pnyx.harness.bench import loads, usage
from pnyx.harness.bench.loads import Workload
from pnyx.harness.cluster import Cluster

WRITES: Final = Workload("SET", 200)
SETTLE_S: Final = 8.0
"""Until leaders are where they belong."""
IDLE_S: Final = 10.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Grouped:
    """A cluster of so many groups of keys, its leaders spread over three nodes."""

    groups: int
    per_s: float
    """SETs of all keys, the median of the rounds; 0 if only idleness was measured."""
    p99_ms: float
    idle_share: float
    """Of one core, what the busiest node needs when nobody asks anything."""


def writing(counts: Sequence[int], rounds: int, requests: int, say: Say) -> list[Grouped]:
    """Write through the cluster ports of each number of groups, in turns, `rounds` times."""
    clusters = [_started(groups) for groups in counts]
    try:
        idle = [_idle_share(cluster) for cluster in clusters]
        seen: list[list[loads.Measured]] = [[] for _ in counts]
        for number in range(1, rounds + 1):
            for at, cluster in enumerate(clusters):
                seen[at].append(_write(cluster, requests))
                say(f"groups   {number}/{rounds}  {counts[at]}: {seen[at][-1].per_s:,.0f}/s")
    finally:
        for cluster in clusters:
            cluster.close()
    return [
        Grouped(
            groups,
            statistics.median(one.per_s for one in its),
            statistics.median(one.p99_ms for one in its),
            share,
        )
        for groups, its, share in zip(counts, seen, idle, strict=True)
    ]


def idling(groups: int, say: Say) -> Grouped:
    """Let a cluster of so many groups alone."""
    cluster = _started(groups)
    try:
        share = _idle_share(cluster)
    finally:
        cluster.close()
    say(f"groups   {groups} idle: {share:.1%} of a core for the busiest node")
    return Grouped(groups, 0, 0, share)


def summary(measured: Sequence[Grouped]) -> list[str]:
    """Return the lines of a Markdown table; ratios to the first line."""
    lines = [
        f"| groups | {WRITES.name}, all keys | to the first | p99 | idle, busiest node |",
        "|---|---|---|---|---|",
    ]
    for one in measured:
        rate = f"{one.per_s:,.0f}/s | {one.per_s / measured[0].per_s:.2f}x | {one.p99_ms:.0f} ms"
        lines.append(
            f"| {one.groups} | {rate if one.per_s else '- | - | -'} | "
            f"{one.idle_share:.1%} of a core |"
        )
    return lines


def _started(groups: int) -> Cluster:
    cluster = Cluster(settings={"groups": groups})
    cluster.start()
    cluster.wait_healthy()
    time.sleep(SETTLE_S)
    return cluster


def _write(cluster: Cluster, requests: int) -> loads.Measured:
    ports = cluster.nodes[cluster.wait_for_leader()].ports
    masters = len(dict(cluster.health().leaders).keys() - {CONTROLLER})
    if masters > 1:
        return loads.redis_benchmark(ports.cluster, WRITES, requests, all_masters=True)
    # redis-benchmark calls a cluster of one master invalid.
    return loads.redis_benchmark(ports.gateway, WRITES, requests)


def _idle_share(cluster: Cluster) -> float:
    pids = [node.pid for node in cluster.nodes.values() if node.pid is not None]
    before = {pid: usage.cpu_s([pid]) for pid in pids}
    time.sleep(IDLE_S)
    return max(usage.cpu_s([pid]) - before[pid] for pid in pids) / IDLE_S
