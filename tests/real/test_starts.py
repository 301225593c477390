"""A node that cannot start says why in one error, and touches nothing."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pnyx.harness.cluster import Cluster

pytestmark = pytest.mark.real


def served(settings: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pnyx.harness.serve", str(settings), *words],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_taken_port_is_named_and_the_node_ends(tmp_path: Path) -> None:
    with Cluster(tmp_path, count=1) as cluster:
        node = cluster.nodes["n1"]
        for port in (node.ports.gateway, node.ports.peers, node.ports.http):
            with socket.socket() as other:
                other.bind((node.host, port))
                other.listen(1)
                done = served(node.settings_path)
            assert done.returncode == 1
            assert "error[PX0102]" in done.stderr
            assert str(port) in done.stderr
            assert "Traceback" not in done.stderr


def test_a_second_process_on_the_same_data_is_refused(tmp_path: Path) -> None:
    with Cluster(tmp_path, count=1) as cluster:
        cluster.start()
        cluster.wait_healthy()
        done = served(cluster.nodes["n1"].settings_path)
        assert done.returncode == 1
        assert "error[PX0103]" in done.stderr
        assert cluster.health().leader == "n1"


def test_an_unknown_setting_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    with Cluster(tmp_path, count=1) as cluster:
        done = served(cluster.nodes["n1"].settings_path, "--set", "raft.hartbeat_ms=10")
        assert done.returncode == 2
        assert "heartbeat_ms" in done.stderr


def test_python_without_assertions_is_refused(tmp_path: Path) -> None:
    with Cluster(tmp_path, count=1) as cluster:
        done = subprocess.run(
            [sys.executable, "-O", "-m", "pnyx.harness.serve", cluster.nodes["n1"].settings_path],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2
        assert "python -O" in done.stderr


def test_a_node_alone_drains_on_sigterm_and_serves_again(tmp_path: Path) -> None:
    with Cluster(tmp_path, count=1) as cluster:
        cluster.start()
        cluster.wait_healthy()
        with cluster.connect("n1") as connection:
            connection.call("SET", "a", "1")
        assert cluster.stop() == {"n1": 0}
        cluster.start()
        cluster.wait_healthy()
        with cluster.connect("n1") as connection:
            assert connection.call("GET", "a") == b"1"


def test_a_node_process_never_loads_the_command_line() -> None:
    source = "import sys, pnyx.harness.serve; print([m for m in sys.modules if 'cli' in m])"
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=True
    )
    assert "pnyx.cli" not in done.stdout
    assert "cyclopts" not in done.stdout
