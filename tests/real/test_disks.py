"""What do real nodes do when their disk fails, fills up, or is not theirs?"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pnyx.harness.cluster import Cluster
from pnyx.harness.disks import (
    SYNC_CALLS,
    WRITE_CALLS,
    FaultImpossible,
    failing_calls,
    small_disk,
)
from pnyx.harness.resp import Connection, Refused, Unreachable

pytestmark = [pytest.mark.real]

MIB = 1024 * 1024


@contextlib.contextmanager
def or_skipped() -> Iterator[None]:
    """Skip the test where the machine does not allow the fault."""
    try:
        yield
    except FaultImpossible as error:
        pytest.skip(error.explain())


@pytest.mark.parametrize(
    ("error", "calls"),
    [("EIO", SYNC_CALLS), ("ENOSPC", SYNC_CALLS), ("EIO", WRITE_CALLS), ("ENOSPC", WRITE_CALLS)],
)
def test_a_node_whose_disk_fails_ends_with_74_and_acknowledges_nothing_after(
    error: str, calls: tuple[str, ...]
) -> None:
    with Cluster() as cluster:
        cluster.start()
        cluster.wait_healthy()
        leader = cluster.wait_for_leader()
        pid = cluster.nodes[leader].pid
        assert pid is not None
        with (
            cluster.connect(leader) as connection,
            contextlib.ExitStack() as failing,
        ):
            assert connection.call("SET", "before", "1") == b"OK"
            with or_skipped():
                failing.enter_context(failing_calls(pid, error, calls))
            began = time.monotonic()
            with pytest.raises((Unreachable, Refused)):
                connection.call("SET", "after", "1")
            while cluster.nodes[leader].is_running():
                assert time.monotonic() - began < 3, "the node did not end"
                time.sleep(0.01)
        assert cluster.nodes[leader].status == 74
        log = "\n".join(cluster.nodes[leader].log_tail(10))
        assert "error[PX0301]" in log
        cluster.restart(leader)
        cluster.wait_healthy()
        with cluster.connect(leader) as connection:
            assert connection.call("GET", "before") == b"1"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 96 MiB: three nodes fill it together."""
    mount = tmp_path / "small"
    mount.mkdir()
    with contextlib.ExitStack() as mounted:
        with or_skipped():
            mounted.enter_context(small_disk(mount, 96))
        yield mount


def refusal(connection: Connection, deadline: float) -> str:
    """Write until it is refused; return the error."""
    while time.monotonic() < deadline:
        try:
            connection.call("SET", "filler", "y" * 10_000)
        except Refused as refused:
            return str(refused)
    return "nothing was refused"


@pytest.mark.timeout(120)
def test_a_full_disk_refuses_writes_serves_reads_and_recovers_by_itself(small: Path) -> None:
    ballast = small / "ballast"
    settings = {
        "storage.segment_bytes": 4 * MIB,
        "storage.flush_log_bytes": MIB,
        "storage.compact_log_bytes": 4 * MIB,
        "storage.tail_log_bytes": MIB,
        "storage.low_space_bytes": 24 * MIB,
        "limits.entry_bytes_max": 2 * MIB,
        "limits.value_bytes_max": MIB,
    }
    with Cluster(small / "nodes", settings=settings) as cluster:
        cluster.start()
        cluster.wait_healthy()
        with cluster.connect(cluster.wait_for_leader()) as connection:
            assert connection.call("SET", "early", "1") == b"OK"
            free = os.statvfs(small)
            ballast.write_bytes(b"x" * (free.f_bavail * free.f_frsize - 16 * MIB))
            deadline = time.monotonic() + 20
            assert "MISCONF" in refusal(connection, deadline)
            assert connection.call("GET", "early") == b"1"
            ballast.unlink()
            deadline = time.monotonic() + 20
            while True:
                try:
                    assert connection.call("SET", "late", "1") == b"OK"
                    break
                except Refused:
                    assert time.monotonic() < deadline, "writes did not come back"
                    time.sleep(0.1)
        assert all(node.is_running() for node in cluster.nodes.values())


@pytest.mark.timeout(120)
def test_a_disk_that_fills_at_once_ends_no_node_and_writes_come_back(small: Path) -> None:
    ballast = small / "ballast"
    settings = {
        "storage.segment_bytes": 4 * MIB,
        "storage.low_space_bytes": 12 * MIB,
        "limits.entry_bytes_max": 2 * MIB,
        "limits.value_bytes_max": MIB,
    }
    with Cluster(small / "nodes", settings=settings) as cluster:
        cluster.start()
        cluster.wait_healthy()
        with cluster.connect(cluster.wait_for_leader()) as connection:
            for number in range(50):
                assert connection.call("SET", f"key {number}", "z" * 2_000) == b"OK"
            fill(ballast)
            # Low space asks each node for a flush within a second, and again after one.
            time.sleep(4)
            assert "MISCONF" in refusal(connection, time.monotonic() + 20)
            assert "n1, n2, n3 short of disk space" in cluster.health().sentence()
            assert connection.call("GET", "key 1") == b"z" * 2_000
            ballast.unlink()
            deadline = time.monotonic() + 20
            while refusal(connection, time.monotonic() + 0.1) != "nothing was refused":
                assert time.monotonic() < deadline, "writes did not come back"
        assert all(node.is_running() for node in cluster.nodes.values())


def test_a_cluster_that_cannot_begin_for_want_of_room_says_so(small: Path) -> None:
    """It said that the controller had no leader."""
    with Cluster(small / "nodes", count=1) as cluster:
        cluster.start()
        seen = cluster.wait_for(lambda seen: 0 in dict(seen.leaders), "led")
        assert seen.sentence().endswith("n1 short of disk space")
        (report,) = cluster.ask_all()
        why = json.loads(report.document)["why_not_ready"]
        assert why == "no group of keys is known yet; the disk is short of space"


@pytest.fixture
def third(tmp_path: Path) -> Iterator[Path]:
    """The data directory of n3, on a file system of its own of 64 MiB."""
    mount = tmp_path / "nodes" / "n3"
    mount.mkdir(parents=True)
    with contextlib.ExitStack() as mounted:
        with or_skipped():
            mounted.enter_context(small_disk(mount, 64))
        yield mount


@pytest.mark.timeout(120)
def test_one_nodes_full_disk_ends_neither_it_nor_its_next_start(third: Path) -> None:
    settings = {
        "storage.segment_bytes": 4 * MIB,
        "storage.low_space_bytes": 12 * MIB,
        "limits.entry_bytes_max": 2 * MIB,
        "limits.value_bytes_max": MIB,
    }
    ballast = third / "ballast"
    with Cluster(third.parent, settings=settings) as cluster:
        cluster.start()
        cluster.wait_healthy()
        fill(ballast)
        with cluster.connect("n1") as connection:
            # More than the segment in use and the one made ahead can hold.
            for number in range(120):
                assert connection.call("SET", f"key {number}", "z" * 100_000) == b"OK"
            cluster.wait_for(lambda seen: seen.low == ("n3",), "short of space")
            node = cluster.nodes["n3"]
            until(lambda: "no room for the log" in "".join(node.log_tail(9)))
            node.terminate()
            assert node.wait() == 0
            cluster.restart("n3")
            until(lambda: "no room to start" in "".join(node.log_tail(9)))
            assert connection.call("SET", "late", "1") == b"OK"
            node.terminate()
            assert node.wait() == 0, "it can be stopped while it waits"
            cluster.restart("n3")
            ballast.unlink()
            cluster.wait_healthy()
        cluster.kill("n1")
        cluster.wait_for_leader()
        with cluster.connect("n3") as connection:
            assert connection.call("GET", "key 119") == b"z" * 100_000


def fill(ballast: Path) -> None:
    """Leave no room on the disk."""
    with ballast.open("wb", 0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 65_536):
            pass


def until(wanted: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not wanted():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def test_a_node_started_on_another_nodes_data_refuses_and_changes_nothing() -> None:
    with Cluster() as cluster:
        cluster.start()
        cluster.wait_healthy()
        cluster.kill("n2")
        cluster.kill("n3")
        data = cluster.directory / "data"
        own, others = (
            next(cluster.directory.rglob(f"{label}/identity.json")) for label in ("n2", "n3")
        )
        before = others.read_bytes()
        shutil.rmtree(own.parent)
        shutil.copytree(others.parent, own.parent)
        cluster.restart("n2")
        assert cluster.nodes["n2"].wait() == 1, data
        log = "\n".join(cluster.nodes["n2"].log_tail(10))
        assert "error[PX0103]" in log
        assert "belongs to node n3" in log
        assert (own.parent / "identity.json").read_bytes() == before


def test_a_corrupt_log_stops_the_node_with_one_clear_error_and_is_not_overwritten() -> None:
    with Cluster() as cluster:
        cluster.start()
        cluster.wait_healthy()
        with cluster.connect("n1") as connection:
            for number in range(200):
                connection.call("SET", f"k{number}", "v" * 1_000)  # 50 blocks at least
        cluster.kill("n2")
        segment = max(cluster.directory.rglob("n2/wal/*.wal"))
        content = bytearray(segment.read_bytes())
        content[4096 * 20 + 100] ^= 0xFF
        segment.write_bytes(content)
        cluster.restart("n2")
        assert cluster.nodes["n2"].wait() == 1
        log = "\n".join(cluster.nodes["n2"].log_tail(10))
        assert "error[PX0302]" in log
        assert segment.name in log
        assert segment.read_bytes() == bytes(content)
        with cluster.connect("n1") as connection:
            assert connection.call("GET", "k199") == b"v" * 1_000


def test_two_processes_never_share_a_data_directory() -> None:
    with Cluster() as cluster:
        cluster.start()
        cluster.wait_healthy()
        again = subprocess.run(
            [
                *(sys.executable, "-m", "pnyx.cli.entry", "server"),
                "--config",
                str(cluster.nodes["n1"].settings_path),
            ],
            capture_output=True,
            timeout=30,
            check=False,
        )
        assert again.returncode == 1
        assert b"error[PX0103]" in again.stderr
        assert str(cluster.nodes["n1"].pid).encode() in again.stderr
        assert cluster.wait_healthy().leader is not None
