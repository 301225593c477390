"""Is what was acknowledged still there after the power of all nodes was cut at once?"""

import contextlib
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from pnyx.harness.cluster import Cluster
from pnyx.harness.disks import FaultImpossible, LoopDisk
from pnyx.harness.witness import Observed, Witness, judge
from real.test_faults import final_values, gateways

pytestmark = [pytest.mark.real]

MIB = 1024 * 1024
SMALL = {
    "storage.segment_bytes": 4 * MIB,
    "storage.flush_log_bytes": MIB,
    "storage.compact_log_bytes": 4 * MIB,
    "storage.tail_log_bytes": MIB,
    "storage.low_space_bytes": 24 * MIB,
    "limits.entry_bytes_max": 2 * MIB,
    "limits.value_bytes_max": MIB,
}
"""So that segments are made, the space is flushed and the log is compacted between two cuts."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[LoopDisk]:
    with contextlib.ExitStack() as made:
        try:
            mounted = made.enter_context(LoopDisk(tmp_path))
        except FaultImpossible as error:
            pytest.skip(error.explain())
        yield mounted


def write(path: Path, content: bytes, *, sync: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, content)
    if sync:
        os.fsync(descriptor)
    os.close(descriptor)


def test_a_power_cut_keeps_what_was_synced_and_nothing_else(disk: LoopDisk) -> None:
    write(disk.mount / "one", b"synced", sync=True)
    write(disk.mount / "one", b", not synced", sync=False)
    write(disk.mount / "two", b"not synced", sync=False)
    disk.cut()
    assert (disk.mount / "one").read_bytes() == b"synced"
    assert not (disk.mount / "two").exists()
    write(disk.mount / "two", b"again", sync=True)
    disk.cut()
    assert (disk.mount / "two").read_bytes() == b"again"


def test_nothing_of_a_closed_disk_stays_mounted(disk: LoopDisk) -> None:
    assert disk.mount.is_mount()
    with (disk.mount / "held").open("wb"):
        # Even while somebody has a file open there.
        disk.close()
        assert not disk.mount.is_mount()


@pytest.mark.timeout(120)
def test_a_power_cut_of_all_nodes_loses_nothing_that_was_acknowledged(disk: LoopDisk) -> None:
    """S3 of the storage tests: kill -9, copy the image, mount the copy, twice."""
    seed = random.randrange(1 << 32)
    with Cluster(disk.mount / "nodes", settings=SMALL) as cluster:
        disk.sync()
        cluster.start()
        for cut in range(2):
            cluster.wait_healthy(30)
            filled = fill(cluster, cut)
            observed = cut_under_load(cluster, disk, seed + cut)
            wrong = judge(observed, final_values(cluster, observed))
            assert wrong == [], f"seed {seed}, cut {cut}"
            with cluster.connect(cluster.wait_for_leader()) as connection:
                assert [connection.call("GET", key) for key in filled] == list(filled.values())
                connection.call("FLUSHALL")


@pytest.mark.timeout(60)
def test_nodes_whose_syncs_do_nothing_lose_what_they_acknowledged(
    disk: LoopDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above can fail: a power cut here takes what was not synced."""
    (disk.mount / "sitecustomize.py").write_text(NO_SYNC)
    monkeypatch.setenv("PYTHONPATH", str(disk.mount))
    with Cluster(disk.mount / "nodes", settings=SMALL) as cluster:
        cluster.start()
        cluster.wait_healthy(30)
        # As far as here; from now on nothing but the nodes' own syncs makes anything durable.
        disk.sync()
        observed = cut_under_load(cluster, disk, seed=1)
        assert any("is lost" in wrong for wrong in judge(observed, final_values(cluster, observed)))


NO_SYNC = """
import os
from pnyx.storage.kernelwrite import KernelWrite

os.fsync = os.fdatasync = lambda descriptor: None
KernelWrite.open = lambda files, bytes_max: None
"""


def cut_under_load(cluster: Cluster, disk: LoopDisk, seed: int) -> Observed:
    """Cut the power of all nodes while they are written to, and start them again."""
    witness = Witness(gateways(cluster), clients=8, seed=seed, think_s=0.0)
    witness.start()
    cluster.wait_for(lambda _: witness.done_count() > 300, "written to")
    for label in cluster.nodes:
        cluster.kill(label)
    observed = witness.stop()
    disk.cut()
    cluster.start()
    cluster.wait_healthy(30)
    return observed


def fill(cluster: Cluster, cut: int) -> dict[str, bytes]:
    """Write enough for several segments and a flush; every write was acknowledged."""
    values = {f"filler:{cut}:{n}": bytes([65 + n % 26]) * 20_000 for n in range(400)}
    with cluster.connect(cluster.wait_for_leader(), timeout_s=20) as connection:
        for key, value in values.items():
            assert connection.call("SET", key, value) == b"OK"
    return values
