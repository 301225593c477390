"""What commands refuse before they do anything, and what init writes."""

import os
import subprocess
import tempfile
import tomllib
from pathlib import Path

import pytest

from pnyx.cli import running
from pnyx.cli.app import run
from pnyx.cli.demo import control
from pnyx.cli.demo.command import start
from pnyx.cli.keys import parsed
from pnyx.consensus.engines import EngineName
from pnyx.errors import SettingsWrong, WrongDirectory
from pnyx.harness.process import StartFailed
from pnyx.harness.serve import overrides
from pnyx.node.catalogue import row_of
from pnyx.node.sources import load

THREE = "n1=10.77.0.1,n2=10.77.0.2,n3=10.77.0.3"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "pnyx"


def test_init_writes_a_file_a_node_that_differ_in_name_and_data_only(tmp_path: Path) -> None:
    assert run(["init", "--nodes", THREE, "--dir", str(tmp_path / "c"), "--insecure"]) == 0
    files = [tomllib.loads((tmp_path / "c" / f"n{i}.toml").read_text()) for i in (1, 2, 3)]
    assert [one.pop("name") for one in files] == ["n1", "n2", "n3"]
    assert len({one.pop("data") for one in files}) == 3
    assert files[0] == files[1] == files[2]
    assert files[0]["nodes"]["n2"]["host"] == "10.77.0.2"


def test_init_refuses_an_exposed_cluster_without_a_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", "--nodes", THREE, "--dir", str(tmp_path / "c")]) == 2
    assert not (tmp_path / "c").exists()
    assert "--insecure" in capsys.readouterr().err or "insecure" in capsys.readouterr().err


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    words = ["init", "--nodes", THREE, "--dir", str(tmp_path), "--insecure"]
    assert run(words) == 0
    before = (tmp_path / "n1.toml").read_bytes()
    assert run(words) == 2
    assert (tmp_path / "n1.toml").read_bytes() == before


@pytest.mark.parametrize("nodes", ["n1", "n1=", "=h", "n1=a,n1=b", ""])
def test_init_refuses_nodes_that_are_not_name_and_host(nodes: str, tmp_path: Path) -> None:
    assert run(["init", "--nodes", nodes, "--dir", str(tmp_path / "c"), "--insecure"]) == 2
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("../x=127.0.0.1", "'../x' cannot be a node's name"),
        ("a b=127.0.0.1", "'a b' cannot be a node's name"),
        ("n1=127.0.0.1,N2=127.0.0.2", "'N2' cannot be a node's name"),
        ("n1\nfaults=127.0.0.1", "cannot be a node's name"),
        ("n1=127.0.0.1:7000", "without a port"),
        ("n1=999.1.1.1", "neither an address"),
        ("n1=127.0.0.1,n2=127.0.0.1", "127.0.0.1 stands twice"),
        (",".join(f"n{i}=127.0.0.{i}" for i in range(1, 13)), "12 nodes"),
        ("n1=127.0.0.1 --groups 0", "groups = 0"),
        ("n1=127.0.0.1 --shards 0", "shards = 0"),
        ("n1=127.0.0.1 --shards 20000", "shards = 20000"),
    ],
)
def test_init_refuses_what_a_node_would_refuse_and_writes_nothing(
    words: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes, *options = words.split(" --")
    more = [word for option in options for word in f"--{option}".split()]
    assert run(["init", "--nodes", nodes, *more, "--dir", str(tmp_path / "c" / "d")]) == 2
    said = capsys.readouterr().err
    assert why in said
    assert "nothing was written" in said
    assert not list(tmp_path.rglob("*.toml"))


def test_blanks_around_the_commas_of_init_are_no_part_of_names(tmp_path: Path) -> None:
    words = ["init", "--nodes", "n1=127.0.0.1, n2=[::1] ,n3=localhost", "--dir", str(tmp_path)]
    assert run(words) == 0
    for label in ("n1", "n2", "n3"):
        settings = load(tmp_path / f"{label}.toml", environ={})
        hosts = [settings.nodes[name].host for name in ("n1", "n2", "n3")]
        assert hosts == ["127.0.0.1", "::1", "localhost"]


def test_init_writes_with_how_many_groups_and_shards_a_cluster_begins(tmp_path: Path) -> None:
    words = ["init", "--nodes", "n1=127.0.0.1", "--dir", str(tmp_path)]
    assert run([*words, "--groups", "4", "--shards", "64"]) == 0
    settings = load(tmp_path / "n1.toml", environ={})
    assert (settings.groups, settings.shards) == (4, 64)


def test_a_demo_keeps_the_groups_and_shards_its_data_began_with(tmp_path: Path) -> None:
    (tmp_path / "n1.toml").write_text("groups = 4")
    with pytest.raises(WrongDirectory, match="began with groups = 4"):
        start(groups=3, nodes="1", data=tmp_path)
    with pytest.raises(WrongDirectory, match="began with shards = 256"):
        start(groups=4, shards=10, nodes="1", data=tmp_path)


def test_data_to_keep_and_to_drop_is_a_contradiction(tmp_path: Path) -> None:
    with pytest.raises(SettingsWrong, match="contradict"):
        start(ephemeral=True, data=tmp_path)


def test_a_demo_does_not_change_how_many_nodes_its_data_has(tmp_path: Path) -> None:
    for label in ("n1", "n2", "n3"):
        (tmp_path / f"{label}.toml").touch()
    with pytest.raises(WrongDirectory, match="of 3 nodes, not 5"):
        start(nodes="5", data=tmp_path)


def test_a_demo_does_not_change_the_engine_of_its_data(tmp_path: Path) -> None:
    (tmp_path / "n1.toml").touch()
    with pytest.raises(WrongDirectory, match="began with consensus = raft"):
        start(nodes="1", data=tmp_path, consensus=EngineName.MULTIPAXOS)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("--gateway-port 0", "--gateway-port 0 cannot be used"),
        ("--gateway-port 65534", "choose one from 1 to 65533"),
        ("--peer-port 99999 --ephemeral", "--peer-port 99999 cannot be used"),
        ("--data /dev/null", "/dev/null cannot hold"),
        ("--data /proc/none --groups 2", "/proc/none cannot hold"),
        ("--groups 0 --ephemeral", "groups = 0"),
        ("--groups 9999", "groups = 9999"),
        ("--shards 0", "shards = 0"),
    ],
)
def test_a_demo_that_cannot_be_starts_nothing(
    words: str, why: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pnyx.cli.demo.command.Cluster", None)
    assert run(["demo", *words.split()]) == 2
    assert why in capsys.readouterr().err


def test_an_ephemeral_demo_that_did_not_start_leaves_the_logs_that_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for error, left in ((StartFailed("n1 did not start"), 1), (KeyboardInterrupt(), 1)):

        def fail(directory: Path, *_: object, error: BaseException = error, **__: object) -> int:
            (directory / "n1.log").touch()
            raise error

        monkeypatch.setattr("pnyx.cli.demo.command._play", fail)
        with pytest.raises(type(error)):
            start(ephemeral=True)
        assert len(list(tmp_path.glob("pnyx-*/n1.log"))) == left


def test_asking_without_a_demo_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "kill"]) == 1
    assert "no demo is running" in capsys.readouterr().err


def test_a_dead_demo_is_not_found(home: Path, tmp_path: Path) -> None:
    # Process ids end below this on every Linux.
    gone = running.Running(pid=2**22 + 1, directory=str(tmp_path), control="", nodes=())
    running.announce(gone)
    assert running.find() is None
    with pytest.raises(control.NoDemo):
        control.ask(running.find(), "status", None)


def test_a_demo_is_found_again_after_a_later_one_ended(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        demos = [
            running.Running(pid=pid, directory=str(tmp_path / name), control="", nodes=())
            for name, pid in (("first", os.getpid()), ("second", other.pid))
        ]
        for one in demos:
            Path(one.directory).mkdir()
            running.announce(one)
        assert running.find() == demos[1]
        other.kill()
    assert running.find() == demos[0]
    running.withdraw(demos[0])
    assert running.find() is None
    assert running.find(Path(demos[1].directory)) is None


def test_config_shows_where_values_come_from_and_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", "--nodes", THREE, "--dir", str(tmp_path), "--password", "s3cret"]) == 0
    monkeypatch.setenv("PNYX_DRAIN_MS", "5000")
    capsys.readouterr()
    assert run(["config", "show", str(tmp_path / "n1.toml"), "--origin", "-o", "plain"]) == 0
    shown = capsys.readouterr().out
    assert "drain_ms\t5000\tPNYX_DRAIN_MS\n" in shown
    assert "raft.heartbeat_ms\t50\tdefault\n" in shown
    assert "s3cret" not in shown
    assert run(["config", "validate", str(tmp_path / "n2.toml")]) == 0


@pytest.mark.parametrize("wrong", ["nohost", "host:", ":1", "host:port", "h:0", "h:99999", "h:²"])
def test_an_address_without_host_or_port_is_refused(wrong: str) -> None:
    with pytest.raises(SettingsWrong):
        parsed(wrong)


@pytest.mark.parametrize(
    "words",
    ["scan --limit -1", "bench --rounds 0", "bench --rounds -1", "bench --seconds -1",
     "bench --seconds 0", "bench --markdown /proc/none/x"],
)  # fmt: skip
def test_what_no_number_or_file_can_be_is_a_usage_error(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words.split()) == 2
    assert "bug in pnyx" not in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["verify", "dump"])
def test_the_log_of_a_file_is_a_usage_error_and_no_broken_disk(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "n1.toml").touch()
    assert run(["log", verb, str(tmp_path / "n1.toml")]) == 2
    assert "is no data directory" in capsys.readouterr().err


def test_an_override_without_a_value_is_refused() -> None:
    assert overrides(["raft.heartbeat_ms=10", "a=b=c"]) == {"raft.heartbeat_ms": "10", "a": "b=c"}
    with pytest.raises(SettingsWrong, match="heartbeat") as refused:
        overrides(["heartbeat"])
    # What the refusal recommends can be done.
    (name,) = overrides([refused.value.next_step.rpartition(" ")[2]])
    assert row_of(name)
