"""Do real nodes come back to the same state, from their log, their space, or a snapshot?"""

import time
import urllib.request

import pytest

from pnyx.admin.health import Word
from pnyx.harness.cluster import Cluster
from pnyx.replica.upkeep import CATCHING_UP_MS

pytestmark = [pytest.mark.real]

MIB = 1024 * 1024
SMALL_LOG = {
    "storage.segment_bytes": 4 * MIB,
    "storage.flush_log_bytes": MIB,
    "storage.compact_log_bytes": 2 * MIB,
    "storage.tail_log_bytes": MIB,
    "limits.entry_bytes_max": 2 * MIB,
    "limits.value_bytes_max": MIB,
}


def fill(cluster: Cluster, label: str, mib: int) -> None:
    """Write so much, in values of 10 kB under keys of their own."""
    with cluster.connect(label, timeout_s=20) as connection:
        for first in range(0, mib * 100, 50):
            replies = connection.pipeline(
                [("SET", f"fill:{first + n}", b"x" * 10_000) for n in range(50)]
            )
            assert replies == [b"OK"] * 50


def counted(cluster: Cluster, label: str, name: str) -> float:
    """Return a counter of a node's metrics page."""
    host, port = cluster.http_addresses()[label]
    with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=5) as page:
        lines = page.read().decode().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(f"{name} ")))


def wait_until_applied(cluster: Cluster) -> None:
    """Return when all nodes have applied the same index."""
    deadline = time.monotonic() + 20
    while True:
        applied = {counted(cluster, label, "pnyx_applied_index") for label in cluster.nodes}
        if len(applied) == 1:
            return
        assert time.monotonic() < deadline, f"they did not converge: {applied}"
        time.sleep(0.05)


@pytest.mark.timeout(120)
def test_a_node_that_missed_more_than_the_log_holds_is_sent_the_state() -> None:
    with Cluster(settings=SMALL_LOG) as cluster:
        cluster.start()
        cluster.wait_healthy()
        leader = cluster.wait_for_leader()
        late = next(label for label in cluster.nodes if label != leader)
        cluster.kill(late)
        fill(cluster, leader, 4)
        # For so long the leader keeps what a peer that may only be slow still needs.
        time.sleep(CATCHING_UP_MS / 1_000 + 1)
        fill(cluster, leader, 12)
        cluster.restart(late)
        cluster.wait_healthy()
        wait_until_applied(cluster)
        assert counted(cluster, late, "pnyx_replica_snapshots_installed_total") == 1
        with cluster.connect(late) as connection:
            assert connection.call("DBSIZE") == 1_200
            assert connection.call("GET", "fill:7") == b"x" * 10_000


@pytest.mark.timeout(120)
def test_old_segments_go_and_a_restart_serves_everything() -> None:
    with Cluster(settings=SMALL_LOG) as cluster:
        cluster.start()
        cluster.wait_healthy()
        leader = cluster.wait_for_leader()
        # Within a second or two, and the controller's few entries would keep all of it.
        fill(cluster, leader, 30)
        assert counted(cluster, leader, "pnyx_log_segments") < 8
        for label in cluster.nodes:
            cluster.kill(label)
        cluster.start()
        cluster.wait_healthy()
        with cluster.connect(leader) as connection:
            assert connection.call("DBSIZE") == 3_000
            assert connection.call("GET", "fill:2999") == b"x" * 10_000


@pytest.mark.timeout(60)
def test_sigterm_hands_leadership_over_and_ends_with_0_within_its_bound() -> None:
    with Cluster() as cluster:
        cluster.start()
        cluster.wait_healthy()
        leader = cluster.wait_for_leader()
        survivor = next(label for label in cluster.nodes if label != leader)
        with cluster.connect(survivor) as connection:
            connection.call("SET", "k", "v")
            began = time.monotonic()
            cluster.nodes[leader].terminate()
            assert connection.call("APPEND", "k", "w") == 2
            # Far less than an election timeout after a crash: the successor was told.
            assert time.monotonic() - began < 2
        assert cluster.nodes[leader].wait() == 0
        assert time.monotonic() - began < 10
        seen = cluster.wait_for(lambda seen: seen.leader is not None, "led")
        assert seen.word is Word.DEGRADED
