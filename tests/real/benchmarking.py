"""redis-benchmark on the cluster port, again and again: it exits on any error.

But for CLUSTERDOWN, which it prints; then it waits a second, asks who leads and goes on.
"""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pnyx.harness.cluster import Cluster

needs_benchmark = pytest.mark.parametrize("program", ["redis-benchmark"], indirect=True)


@contextmanager
def benchmarked(cluster: Cluster, program: str, requests: int = 1_000) -> Iterator[None]:
    """Let it run beside a block; every node must lead something, or it would never know that one.

    It asks for masters when it starts, and exits when one comes that was none then.
    """
    words = [program, "--cluster", "-p", str(cluster.nodes["n1"].ports.cluster), "-q"]
    words += ["-n", str(requests), "-t", "set,get,incr,mset", "-r", "10000", "-c", "20"]
    runs: list[subprocess.CompletedProcess[str]] = []
    over = threading.Event()

    def run_again_and_again() -> None:
        while not over.is_set():
            runs.append(subprocess.run(words, capture_output=True, text=True, check=False))

    thread = threading.Thread(target=run_again_and_again)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert runs
    for run in runs:
        said = run.stdout + run.stderr
        assert run.returncode == 0, said
        assert "rror" not in said, said
