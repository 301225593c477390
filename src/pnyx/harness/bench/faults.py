"""What a kill, a restart, idleness and a start cost: figures without a peer to compare with."""

import os
import secrets
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pnyx.errors import PnyxError
from pnyx.harness.bench import usage
from pnyx.harness.cluster import Cluster
from pnyx.harness.load import Load
from pnyx.harness.ports import out_of_the_way
from pnyx.harness.resp import Connection, Refused, Unreachable

ACCEPTED_S_MAX: Final = 30.0
LOAD_CLIENTS: Final = 4
FILL_KEYS_AT_ONCE: Final = 200
FILL_VALUE_BYTES: Final = 100
DEMO_S_MAX: Final = 60.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Restarted:
    """How a cluster came back with its keys."""

    keys: int
    serving_s: float
    """From the start of the processes until a key was read back."""
    resident_bytes: tuple[int, ...]
    """Of each node, once it served."""


def failover_s(times: int, say: Say) -> list[float]:
    """Return how long no write was accepted after each kill -9 of the leader, under load."""
    spans: list[float] = []
    with Cluster() as cluster:
        cluster.start()
        cluster.wait_healthy()
        gateways = [(node.host, node.ports.gateway) for node in cluster.nodes.values()]
        loads = [Load(gateways[i % 3 :] + gateways[: i % 3], None) for i in range(LOAD_CLIENTS)]
        try:
            for number in range(1, times + 1):
                leader = cluster.wait_for_leader()
                killed_s = time.monotonic()
                cluster.kill(leader)
                others = [label for label in cluster.nodes if label != leader]
                spans.append(_first_write_s(cluster, others) - killed_s)
                say(f"kill {number}/{times}  writes accepted again after {spans[-1]:.2f} s")
                cluster.restart(leader)
                cluster.wait_healthy()
        finally:
            for load in loads:
                load.stop()
    return spans


def restart(keys: int, say: Say) -> Restarted:
    """Fill a cluster, end it by kill -9, start it again, and see how soon it serves."""
    with Cluster() as cluster:
        cluster.start()
        cluster.wait_healthy()
        _fill(cluster, keys)
        say(f"restart  {keys:,} keys written")
        for label in cluster.nodes:
            cluster.kill(label)
        began_s = time.monotonic()
        cluster.start()
        value = _until_accepted(lambda c: c.call("GET", f"key:{keys - 1}"), cluster, ["n1"])
        serving_s = time.monotonic() - began_s
        assert value is not None, "the last key written was acknowledged"
        pids = [node.pid for node in cluster.nodes.values()]
        resident = tuple(usage.resident_bytes(pid) for pid in pids if pid is not None)
        say(f"restart  serving after {serving_s:.2f} s")
        return Restarted(keys, serving_s, resident)


def idle_share(seconds: float, say: Say) -> dict[str, float]:
    """Return the share of one core that each node of an idle cluster uses."""
    with Cluster() as cluster:
        cluster.start()
        cluster.wait_healthy()
        time.sleep(1)
        leader = cluster.wait_for_leader()
        pids = {label: node.pid for label, node in cluster.nodes.items() if node.pid is not None}
        before = {label: usage.cpu_s([pid]) for label, pid in pids.items()}
        time.sleep(seconds)
        shares = {
            ("leader" if label == leader else label): (usage.cpu_s([pid]) - before[label]) / seconds
            for label, pid in pids.items()
        }
    say(f"idle     {max(shares.values()):.1%} of a core for the busiest node")
    return shares


def demo_start_s(times: int, say: Say) -> list[float]:
    """Return how long `pnyx demo` took to say HEALTHY, each time."""
    spans: list[float] = []
    for number in range(1, times + 1):
        ports = out_of_the_way(3)[0]
        words = [sys.executable, "-m", "pnyx.cli.entry", "demo", "--ephemeral"]
        words += ["--gateway-port", str(ports.gateway), "--cluster-port", str(ports.cluster)]
        words += ["--peer-port", str(ports.peers), "--http-port", str(ports.http)]
        began_s = time.monotonic()
        demo = subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        # A demo that hangs is ended, and the loop below then sees the end of its output.
        watchdog = threading.Timer(DEMO_S_MAX, os.kill, (demo.pid, signal.SIGTERM))
        watchdog.start()
        assert demo.stdout is not None, "a pipe was asked for"
        if not any("HEALTHY" in line for line in demo.stdout):
            raise PnyxError("the demo ended before it was HEALTHY")
        spans.append(time.monotonic() - began_s)
        watchdog.cancel()
        demo.terminate()
        demo.communicate()
        say(f"demo {number}/{times}  HEALTHY after {spans[-1]:.2f} s")
    return spans


def summary(
    failovers: list[float] | None,
    restarted: Restarted | None,
    idle: dict[str, float] | None,
    demo_starts: list[float] | None,
) -> list[str]:
    """Return one Markdown line a figure that was taken."""
    lines = ["| what | measured |", "|---|---|"]
    if failovers:
        middle, worst = statistics.median(failovers), max(failovers)
        lines.append(
            f"| kill -9 of the leader under load: writes accepted again, median of "
            f"{len(failovers)} | {middle:.2f} s (worst {worst:.2f} s) |"
        )
    if restarted:
        mib = max(restarted.resident_bytes) / 2**20
        lines += [
            f"| restart after kill -9 of all with {restarted.keys:,} keys of "
            f"{FILL_VALUE_BYTES} bytes: serving | {restarted.serving_s:.2f} s |",
            f"| resident memory of the largest node with them | {mib:.0f} MiB |",
        ]
    if idle:
        lines.append(f"| idle: the busiest node's share of a core | {max(idle.values()):.1%} |")
    if demo_starts:
        middle = statistics.median(demo_starts)
        lines.append(
            f"| `pnyx demo` until HEALTHY, median of {len(demo_starts)} | {middle:.2f} s |"
        )
    return lines


def _fill(cluster: Cluster, keys: int) -> None:
    value = secrets.token_hex(FILL_VALUE_BYTES // 2)
    with cluster.connect(cluster.wait_for_leader(), timeout_s=30) as connection:
        for first in range(0, keys, FILL_KEYS_AT_ONCE):
            numbers = range(first, min(first + FILL_KEYS_AT_ONCE, keys))
            replies = connection.pipeline([("SET", f"key:{number}", value) for number in numbers])
            refused = next((reply for reply in replies if reply != b"OK"), None)
            if refused is not None:
                raise PnyxError(f"filling the cluster was refused: {refused}")


def _first_write_s(cluster: Cluster, labels: list[str]) -> float:
    _until_accepted(lambda connection: connection.call("SET", "failover", "x"), cluster, labels)
    return time.monotonic()


def _until_accepted(
    call: Callable[[Connection], object], cluster: Cluster, labels: list[str]
) -> object:
    """Return the reply of the first node that does what it is asked; ask in turn until then."""
    deadline = time.monotonic() + ACCEPTED_S_MAX
    turn = 0
    while time.monotonic() < deadline:
        label = labels[turn % len(labels)]
        turn += 1
        try:
            with cluster.connect(label) as connection:
                return call(connection)
        except (Unreachable, Refused):
            time.sleep(0.01)
    raise PnyxError(f"no node did what it was asked within {ACCEPTED_S_MAX:g} s")
