"""Groups join and leave running clusters: by the commands, and by the library's `.admin`."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

import pnyx
import pnyx.aio
from pnyx.admin import page
from pnyx.admin.controller import ControllerRefused, joining
from pnyx.cli.app import run
from pnyx.harness.cluster import Cluster

pytestmark = pytest.mark.real

CLIENTS = 4
KEYS = [f"counter:{number}" for number in range(24)]
Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))


def http(cluster: Cluster) -> list[str]:
    return ["--http", f"127.0.0.1:{cluster.nodes['n1'].ports.http}"]


def url(cluster: Cluster) -> str:
    ports = [f"127.0.0.1:{node.ports.cluster}" for node in cluster.nodes.values()]
    return f"pnyx://{','.join(ports)}"


def frozen(cluster: Cluster) -> tuple[float, float]:
    """Return how many freezes the nodes' histograms have, and their seconds."""
    found = [0.0, 0.0]
    for place in cluster.http_addresses().values():
        for line in page.ask(*place, "/metrics").decode().splitlines():
            for at, part in enumerate(("count", "sum")):
                if line.startswith(f"pnyx_moves_freeze_seconds_{part} "):
                    found[at] += float(line.split()[1])
    return found[0], found[1]


class Counting:
    """Clients that increment counters until the block ends; none may fail."""

    def __init__(self, cluster: Cluster) -> None:
        self._url = url(cluster)
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._count) for _ in range(CLIENTS)]
        self.done = dict.fromkeys(KEYS, 0)
        self.failed: list[BaseException] = []
        self._lock = threading.Lock()

    def _count(self) -> None:
        try:
            with pnyx.connect(self._url, timeout_s=30) as client:
                while not self._over.is_set():
                    for key in KEYS:
                        client.incr(key)
                        with self._lock:
                            self.done[key] += 1
        except BaseException as error:
            self.failed.append(error)

    def __enter__(self) -> "Counting":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def test_groups_join_and_leave_by_command_and_every_write_is_done_once(capsys: Said) -> None:
    with Cluster(settings={"groups": 1, "shards": 12}) as cluster:
        cluster.start()
        cluster.wait_healthy()
        with Counting(cluster) as counting:
            assert run(["group", "add", "g2", "g3", *http(cluster)]) == 0
            said = capsys.readouterr()
            assert "g2 on n2 n3 n1\ng3 on n3 n1 n2\nall shards are" in said.out
            assert "MB copied, no shard stood still for more than " in said.err
            assert run(["shards", "move", "0", "g2", *http(cluster)]) == 0
            assert run(["group", "remove", "g2", "--yes", *http(cluster)]) == 0
            assert run(["group", "add", *http(cluster)]) == 0
            assert "g4 on" in capsys.readouterr().out
        assert run(["shards", "moves", "-o", "jsonl", *http(cluster)]) == 0
        moved = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert len(moved) >= 8
        assert {one["stage"] for one in moved} == {"activated"}
        assert all(one["freeze_ms"] > 0 for one in moved)
        count, seconds = frozen(cluster)
        assert count == len(moved)
        assert seconds == pytest.approx(sum(one["freeze_ms"] for one in moved) / 1_000)
        assert counting.failed == []
        assert min(counting.done.values()) > 0
        with pnyx.connect(url(cluster)) as client:
            assert {key: int(client.get(key) or 0) for key in KEYS} == counting.done
        assert run(["group", "list", "-o", "jsonl", *http(cluster)]) == 0
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [(row["group"], row["shards"]) for row in rows] == [("g1", 4), ("g3", 4), ("g4", 4)]
        assert run(["group", "remove", "g1", "g3", "g4", "--yes", *http(cluster)]) == 1
        assert "would leave no group to serve the keys" in capsys.readouterr().err


@contextmanager
def interruptible(words: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """Run a program as a terminal would, even if SIGINT is ignored where the tests run."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        program = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    with program:
        try:
            yield program
        finally:
            program.kill()


def test_moves_to_a_dead_group_wait_say_why_are_taken_back_and_go_on(capsys: Said) -> None:
    with Cluster(settings={"groups": 1, "shards": 4}) as cluster:
        cluster.start()
        cluster.wait_healthy()
        cluster.pause("n3")
        assert run(["group", "add", "g2", "--nodes", "n3", "--wait", "0", *http(cluster)]) == 0
        words = [sys.executable, "-m", "pnyx.cli.entry", "group", "add", "g2", *http(cluster)]
        with interruptible(words) as waits:
            assert waits.stderr is not None
            assert "waiting: g2 has no leader with a quorum (2 shards wait): n3" in (
                waits.stderr.readline()
            )
            waits.send_signal(signal.SIGINT)
            _, said = waits.communicate(timeout=60)
        assert waits.returncode == 130
        assert "the shards go on moving; `pnyx group add g2` goes on waiting" in said
        assert run(["shards", "move", "3", "g1", *http(cluster)]) == 0, "it is taken back"
        with pnyx.connect(url(cluster)) as client:
            assert client.mset({"{a}1": 1, "{a}2": 2})
            capsys.readouterr()
            cluster.heal()
            assert run(["group", "add", "g2", *http(cluster)]) == 0
            assert "g2 on n3 already, going on\nall shards are" in capsys.readouterr().out
            assert client.mget("{a}1", "{a}2") == [b"1", b"2"]


def test_groups_of_both_engines_live_on_the_same_nodes_and_outlive_them(capsys: Said) -> None:
    with Cluster(settings={"groups": 1, "shards": 12}) as cluster:
        cluster.start()
        cluster.wait_healthy()
        with Counting(cluster) as counting:
            assert run(["group", "add", "g2", "--consensus", "multipaxos", *http(cluster)]) == 0
            cluster.kill("n2")
            cluster.restart("n2")
            cluster.wait_healthy()
            assert run(["group", "add", "g3", "--consensus", "raft", *http(cluster)]) == 0
            assert run(["group", "remove", "g1", "--yes", *http(cluster)]) == 0
        assert counting.failed == []
        capsys.readouterr()
        assert run(["group", "list", "-o", "jsonl", *http(cluster)]) == 0
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [(row["group"], row["shards"], row["consensus"]) for row in rows] == [
            ("g2", 6, "multipaxos"), ("g3", 6, "raft"),
        ]  # fmt: skip
        for label in cluster.nodes:
            cluster.kill(label)
        cluster.restart(*cluster.nodes)
        cluster.wait_healthy()
        with pnyx.connect(url(cluster)) as client:
            assert {key: int(client.get(key) or 0) for key in KEYS} == counting.done
            assert client.incr(KEYS[0]) == counting.done[KEYS[0]] + 1


def test_without_the_controllers_quorum_nothing_changes(capsys: Said) -> None:
    with Cluster(settings={"groups": 1, "shards": 4}) as cluster:
        cluster.start()
        cluster.wait_healthy()
        cluster.kill("n2")
        cluster.kill("n3")
        # Until an election timeout has passed n1 may believe that it leads, and is not believed.
        assert run(["health", *http(cluster)]) == 4
        assert "DOWN  0/16384 slots served" in capsys.readouterr().out
        assert run(["group", "add", *http(cluster)]) == 4
        assert "PX0414" in capsys.readouterr().err


def test_the_library_does_what_the_commands_do() -> None:
    with Cluster(settings={"groups": 1, "shards": 12}) as cluster:
        cluster.start()
        cluster.wait_healthy()
        with pnyx.connect(url(cluster)) as client:
            admin = client.admin
            assert admin.status().word.value == "HEALTHY"
            assert [node.label for node in admin.nodes()] == ["n1", "n2", "n3"]
            assert len(admin.plan(joining({2: ("n1", "n2", "n3")}))) == 6
            admin.join("g2")
            assert [(group.name, group.slots) for group in admin.groups()] == [
                ("g1", 8_192), ("g2", 8_192),
            ]  # fmt: skip
            assert admin.plan() == []
            admin.move(0, "g2")
            assert admin.query().targets[0] == 2
            assert admin.query(1).targets == (1,) * 12
            assert admin.transfer_leader("n3", group="g2") == "n3"
            with pytest.raises(ControllerRefused, match="nothing was changed"):
                admin.leave("g1", "g2")
            admin.leave("g1")
            assert [group.name for group in admin.groups()] == ["g2"]
        asyncio.run(_asyncio_does_it_too(url(cluster)))


async def _asyncio_does_it_too(at: str) -> None:
    async with await pnyx.aio.connect(at) as client:
        await client.admin.join()
        assert [group.name for group in await client.admin.groups()] == ["g2", "g3"]
        await client.admin.move(0, "g3")
        assert (await client.admin.query()).targets[0] == 3
        assert await client.admin.plan() == []
        await client.admin.leave("g3")
        assert await client.admin.transfer_leader("n1", group="g2") == "n1"
        await client.admin.drain("n1")
        assert [node.label for node in await client.admin.nodes()] == ["n2", "n3"]
        assert (await client.admin.status()).slots_served == 16_384
