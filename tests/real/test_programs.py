"""The programs as their users start them: the demo, a second terminal, init and server."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pnyx.admin.health import Health, Word, ask_all, judge
from pnyx.cli import running
from pnyx.harness.ports import out_of_the_way
from pnyx.harness.resp import Connection

pytestmark = pytest.mark.real

PNYX = [sys.executable, "-m", "pnyx.cli.entry"]
README = Path(__file__).parents[2] / "README.md"
START_S_MAX = 60


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))


def port_words() -> list[str]:
    ports = out_of_the_way(3)[0]
    words = ["--gateway-port", str(ports.gateway), "--cluster-port", str(ports.cluster)]
    return [*words, "--peer-port", str(ports.peers), "--http-port", str(ports.http)]


@contextmanager
def demo(*words: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A running demo and everything it said until its last line of usage."""
    process = subprocess.Popen(
        [*PNYX, "demo", *port_words(), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    try:
        for line in process.stdout:
            said += line
            if "Second terminal" in line:
                break
        yield process, said
    finally:
        process.terminate()
        process.communicate(timeout=START_S_MAX)


def answered(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*PNYX, *words], capture_output=True, text=True, timeout=START_S_MAX, check=False
    )


def pnyx(*words: str, status: int = 0) -> str:
    done = answered(*words)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def refused(*words: str, stdin: Path = Path("/dev/null")) -> str:
    """Everything that a command which is refused says; it has a cause and a next step."""
    with stdin.open("rb") as given:
        done = subprocess.run(
            [*PNYX, *words], stdin=given, stderr=subprocess.PIPE, timeout=START_S_MAX, check=False
        )
    said = done.stderr.decode()
    assert done.returncode == 1, said
    assert "PX0001" not in said
    assert "  cause " in said
    assert "  next " in said
    return said


def seen() -> Health:
    found = running.find()
    assert found is not None
    return judge(ask_all({node.label: (node.host, node.http_port) for node in found.nodes}))


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_S_MAX
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def node_pids() -> list[int]:
    lines = pnyx("demo", "status").splitlines()
    return [int(found.group(1)) for line in lines if (found := re.search(r"pid (\d+)", line))]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_demo_without_a_terminal_says_how_to_use_it_and_ends_well_on_sigterm() -> None:
    with demo("--ephemeral", "--groups", "1") as (process, said):
        assert "HEALTHY" in said
        assert re.search(r"redis-cli -p \d+\n", said)
        assert re.search(r"redis-cli -c -p \d+ ", said)
        assert "Keys:" not in said
        data = Path(re.search(r"data: (\S+)", said).group(1))  # type: ignore[union-attr]
        pids = node_pids()
        assert len(pids) == 3
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    assert not data.exists()
    assert not any(is_alive(pid) for pid in pids)


def test_a_second_terminal_kills_cuts_and_heals_the_demos_nodes() -> None:
    with demo("--ephemeral"):
        pnyx("put", "seen", "before")
        assert "(the leader of g1)" in pnyx("demo", "kill")
        until(lambda: seen().word is Word.DEGRADED)
        assert pnyx("get", "seen") == "before\n"
        assert "started" in pnyx("demo", "restart")
        until(lambda: seen().word is Word.HEALTHY)
        assert "cut n2" in pnyx("demo", "partition", "n2")
        until(lambda: [label for label, _ in seen().down] == ["n2"])
        # The group that n2 led refuses until it has another leader, and health says so.
        until(lambda: answered("health").returncode == 3)
        assert "next    pnyx demo heal" in answered("health").stdout
        pnyx("demo", "heal")
        until(lambda: seen().word is Word.HEALTHY)


def test_keys_from_the_shell_and_their_exit_statuses() -> None:
    with demo("--ephemeral"):
        pnyx("put", "shell:a", "1")
        assert pnyx("append", "shell:a", "23") == "3\n"
        assert pnyx("incr", "shell:a") == "124\n"
        revision = pnyx("get", "shell:a", "--revision").strip()
        renewed = pnyx("cas", "shell:a", revision, "123").strip()
        assert int(renewed) > int(revision)
        pnyx("cas", "shell:a", revision, "9", status=5)
        assert pnyx("get", "shell:a", "-o", "plain") == "123"
        assert pnyx("get", "shell:a", "-o", "jsonl") == '{"key": "shell:a", "value": "123"}\n'
        pnyx("get", "shell:none", status=5)
        assert pnyx("scan", "shell:*") == "shell:a\n"
        assert pnyx("del", "shell:a", "shell:none") == "1\n"
        pnyx("del", "shell:a", status=5)


def test_a_demo_keeps_its_data_and_nodes_die_with_a_demo_that_is_killed(tmp_path: Path) -> None:
    data = str(tmp_path / "kept")
    with demo("--data", data) as (process, _):
        pnyx("put", "kept", "yes")
        pids = node_pids()
        process.kill()
        process.wait()
        until(lambda: not any(is_alive(pid) for pid in pids))
    with demo("--data", data):
        assert pnyx("get", "kept") == "yes\n"


def test_two_demos_do_not_share_a_directory(tmp_path: Path) -> None:
    with demo("--data", str(tmp_path / "kept")):
        done = subprocess.run(
            [*PNYX, "demo", "--data", str(tmp_path / "kept")],
            capture_output=True,
            text=True,
            timeout=START_S_MAX,
            check=False,
        )
        assert done.returncode == 1
        assert "a demo runs on" in done.stderr
        assert "HEALTHY" in pnyx("health")


def test_a_demo_is_still_there_for_others_after_a_later_one_ended(tmp_path: Path) -> None:
    with demo("--data", str(tmp_path / "first"), "--nodes", "1"):
        with demo("--ephemeral", "--nodes", "1"):
            pnyx("put", "where", "second")
        pnyx("put", "where", "first")
        assert "HEALTHY" in pnyx("health")
        assert len(node_pids()) == 1


def test_what_the_shell_is_refused_says_why_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"x" * 5_000_000)
    with demo("--data", str(tmp_path / "data"), "--nodes", "1", "--password", "s3cret"):
        found = running.find()
        assert found is not None
        gateway = f"127.0.0.1:{found.nodes[0].gateway_port}"
        assert "set the variable PNYX_PASSWORD" in refused("put", "a", "1", "--addr", gateway)
        assert "`requirepass`" in refused("put", "a", "1", "--password", "wrong")
        monkeypatch.setenv("PNYX_PASSWORD", "s3cret")
        pnyx("put", "a", "word", "--addr", gateway)
        assert "`pnyx get KEY`" in refused("incr", "a")
        for verb in (["put", "b"], ["cas", "b", "0"], ["append", "a"]):
            said = refused(*verb, "-", stdin=large)
            assert "PX0201" in said
            assert "limits.value_bytes_max" in said
        large.write_bytes(b"x" * 4_194_302)
        assert "PX0201" in refused("append", "a", "-", stdin=large)
        page = f"127.0.0.1:{found.nodes[0].http_port}"
        assert "no node's gateway port" in refused("get", "a", "--addr", page)
        monkeypatch.delenv("PNYX_PASSWORD")
        assert "no node's gateway port" in refused("get", "a", "--addr", page)


def test_a_password_is_asked_of_clients(tmp_path: Path) -> None:
    with demo("--ephemeral", "--password", "s3cret") as (_, said):
        assert re.search(r'pnyx.connect\("pnyx://:PASSWORD@127.0.0.1:\d+"\)', said)
        assert "s3cret" not in said
        port = int(re.search(r"redis-cli -p (\d+)", said).group(1))  # type: ignore[union-attr]
        with Connection("127.0.0.1", port) as stranger, pytest.raises(Exception, match="NOAUTH"):
            stranger.call("GET", "a")
        with Connection("127.0.0.1", port, password="s3cret") as friend:
            assert friend.call("SET", "a", "1") == b"OK"
        pnyx("put", "a", "2")


def test_init_and_server_form_a_cluster_on_addresses_of_their_own(tmp_path: Path) -> None:
    hosts = {f"n{number}": f"127.0.77.{number}" for number in (1, 2, 3)}
    nodes = ",".join(f"{label}={host}" for label, host in hosts.items())
    pnyx("init", "--nodes", nodes, "--dir", str(tmp_path))
    servers = [
        subprocess.Popen(
            [*PNYX, "server", "--config", str(tmp_path / f"{label}.toml")],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for label in hosts
    ]
    try:
        pages = {label: (host, 8301) for label, host in hosts.items()}
        until(lambda: judge(ask_all(pages)).word is Word.HEALTHY)
        with Connection("127.0.77.1", 6379) as one, Connection("127.0.77.3", 6379) as three:
            assert one.call("SET", "formed", "yes") == b"OK"
            assert three.call("GET", "formed") == b"yes"
        assert "HEALTHY" in pnyx("health", "--config", str(tmp_path / "n2.toml"))
        assert pnyx("status", "--http", "127.0.77.2:8301", "-o", "plain").count("\n") == 3
    finally:
        for server in servers:
            server.terminate()
        assert [server.wait(timeout=30) for server in servers] == [0, 0, 0]
    assert "valid" in pnyx("log", "verify", str(tmp_path / "n1"))
    assert '"what": "entry"' in pnyx("log", "dump", str(tmp_path / "n1"), "-o", "jsonl")
