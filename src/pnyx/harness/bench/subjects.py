"""Who is measured: three nodes of pnyx, one redis-server, three members of etcd."""

import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from pnyx.admin import page
from pnyx.consensus.engines import EngineName
from pnyx.errors import PnyxError
from pnyx.harness.bench import loads
from pnyx.harness.bench.loads import Measured, Workload
from pnyx.harness.cluster import Cluster
from pnyx.harness.ports import out_of_the_way
from pnyx.harness.resp import Connection, Unreachable

START_S_MAX: Final = 30.0
STOP_S_MAX: Final = 10.0
KEY: Final = b"pnyx-bench"


class Subject(Protocol):
    """Something that stores keys, on this machine, for the length of a run."""

    name: str
    setting: str
    """What the table says about how it runs."""
    pipelines: bool
    """Can one connection have several requests under way?"""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def run(self, workload: Workload, requests: int) -> Measured: ...

    def pids(self) -> dict[str, int]:
        """Role -> process id, of every process that serves."""
        ...


class Pnyx:
    """Three node processes of this checkout."""

    setting = "3 nodes, every write synced on a majority, reads linearizable"
    pipelines = True

    def __init__(self, consensus: EngineName | None = None) -> None:
        """Run on that engine, under its name; without one as a user would."""
        self.name = "pnyx" if consensus is None else str(consensus)
        self._settings = {} if consensus is None else {"consensus": str(consensus)}
        self._cluster: Cluster | None = None

    @property
    def cluster(self) -> Cluster:
        """The running cluster."""
        assert self._cluster is not None, "start comes first"
        return self._cluster

    def start(self) -> None:
        """Start it and wait until it is healthy."""
        self._cluster = Cluster(settings=self._settings)
        self._cluster.start()
        self._cluster.wait_healthy()

    def stop(self) -> None:
        """Stop it and drop its data."""
        if self._cluster is not None:
            self._cluster.close()

    def run(self, workload: Workload, requests: int) -> Measured:
        """Measure at the leader's gateway port, as the others are measured at theirs."""
        node = self.cluster.nodes[self.cluster.wait_for_leader()]
        return loads.redis_benchmark(node.ports.gateway, workload, requests)

    def pids(self) -> dict[str, int]:
        """Return the leader's and the followers' ids."""
        leader = self.cluster.wait_for_leader()
        return {
            ("leader" if label == leader else label): node.pid
            for label, node in self.cluster.nodes.items()
            if node.pid is not None
        }


class Redis:
    """One redis-server that syncs every write."""

    name = "redis"
    setting = "redis-server, ONE node, appendfsync always"
    pipelines = True

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = ""
        self._port = 0

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._folder = tempfile.mkdtemp(prefix="pnyx-bench-redis-")
        self._port = out_of_the_way(1)[0].gateway
        words = ["redis-server", "--port", str(self._port), "--dir", self._folder, "--save", ""]
        words += ["--appendonly", "yes", "--appendfsync", "always", "--bind", "127.0.0.1"]
        self._process = _start(words, Path(self._folder) / "log")
        _wait(self._answers, self.name)

    def stop(self) -> None:
        """End it and drop its data."""
        _end(self._process)
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, workload: Workload, requests: int) -> Measured:
        """Measure."""
        return loads.redis_benchmark(self._port, workload, requests)

    def pids(self) -> dict[str, int]:
        """Return the one id."""
        assert self._process is not None, "start comes first"
        return {"server": self._process.pid}

    def _answers(self) -> bool:
        with contextlib.suppress(Unreachable), Connection("127.0.0.1", self._port) as connection:
            return bool(connection.call("PING") == b"PONG")
        return False


class Etcd:
    """Three members of etcd, syncing as they do by default."""

    name = "etcd"
    setting = "etcd, 3 members, sync on, one key, reads linearizable, measured at its leader"
    pipelines = False

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []
        self._ports: list[tuple[int, int]] = []
        self._folder = ""

    def start(self) -> None:
        """Start the members and wait until they have a leader."""
        self._folder = tempfile.mkdtemp(prefix="pnyx-bench-etcd-")
        self._ports = [(ports.gateway, ports.peers) for ports in out_of_the_way(3)]
        urls = [f"m{i}=http://127.0.0.1:{peer}" for i, (_, peer) in enumerate(self._ports)]
        for number, (client, peer) in enumerate(self._ports):
            words = ["etcd", "--name", f"m{number}", "--data-dir", f"{self._folder}/m{number}"]
            words += ["--listen-client-urls", f"http://127.0.0.1:{client}"]
            words += ["--advertise-client-urls", f"http://127.0.0.1:{client}"]
            words += ["--listen-peer-urls", f"http://127.0.0.1:{peer}"]
            words += ["--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}"]
            words += ["--initial-cluster", ",".join(urls), "--initial-cluster-state", "new"]
            self._processes.append(_start(words, Path(self._folder) / f"m{number}.log"))
        _wait(lambda: self._leader() is not None, self.name)

    def stop(self) -> None:
        """End the members and drop their data."""
        for process in self._processes:
            _end(process)
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, workload: Workload, requests: int) -> Measured:
        """Measure at the leader; writes are counted by etcd's own revision."""
        leader = self._leader()
        assert leader is not None, "start waited for one"
        port = self._ports[leader][0]
        if workload.command == "GET":
            body = loads.range_request(KEY)
            return loads.h2load(
                port, "/etcdserverpb.KV/Range", body, workload.connections, requests
            )
        before = self._revision(port)
        body = loads.put_request(KEY, b"x" * loads.VALUE_BYTES)
        measured = loads.h2load(port, "/etcdserverpb.KV/Put", body, workload.connections, requests)
        # A gRPC refusal is an HTTP 200 with trailers, which h2load counts as a success.
        written = self._revision(port) - before
        if written < requests:
            raise loads.LoadFailed("etcd refused writes", cause=f"{written} of {requests} done")
        return measured

    def pids(self) -> dict[str, int]:
        """Return the members' ids."""
        leader = self._leader()
        return {
            ("leader" if number == leader else f"m{number}"): process.pid
            for number, process in enumerate(self._processes)
        }

    def _leader(self) -> int | None:
        for number, (client, _) in enumerate(self._ports):
            with contextlib.suppress(page.NoAnswer, KeyError):
                said = json.loads(
                    page.ask("127.0.0.1", client, "/v3/maintenance/status", body=b"{}")
                )
                if said["leader"] == said["header"]["member_id"]:
                    return number
        return None

    def _revision(self, port: int) -> int:
        said = json.loads(page.ask("127.0.0.1", port, "/v3/kv/range", body=b'{"key":"AA=="}'))
        return int(said["header"]["revision"])


def missing(subject: Subject) -> str:
    """Return why the subject cannot be measured here, or nothing."""
    needed = {
        "pnyx": ("redis-benchmark",),
        "redis": ("redis-server", "redis-benchmark"),
        "etcd": ("etcd", "h2load"),
    }[subject.name]
    packages = {
        "redis-server": "redis-server",
        "redis-benchmark": "redis-tools",
        "etcd": "etcd-server",
        "h2load": "nghttp2-client",
    }
    lacking = [program for program in needed if shutil.which(program) is None]
    if not lacking:
        return ""
    wanted = " ".join(packages[program] for program in lacking)
    return f"{subject.name} is left out: no {' or '.join(lacking)} here (apt-get install {wanted})"


def _start(words: list[str], log_path: Path) -> "subprocess.Popen[bytes]":
    with log_path.open("wb") as log:
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _wait(is_ready: Callable[[], bool], name: str) -> None:
    deadline = time.monotonic() + START_S_MAX
    while not is_ready():
        if time.monotonic() > deadline:
            raise PnyxError(f"{name} did not start within {START_S_MAX:g} s")
        time.sleep(0.05)


def _end(process: "subprocess.Popen[bytes] | None") -> None:
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
