"""What the verbs of members refuse, and the file that a new node gets."""

import tomllib
from pathlib import Path

import pytest

from pnyx.admin import health, members
from pnyx.admin.health import Asked
from pnyx.cli import running, status
from pnyx.cli.app import run
from pnyx.cli.node.newcomer import Newcomer, write_file
from pnyx.errors import SettingsWrong
from pnyx.harness.ports import out_of_the_way
from pnyx.node.settings import NodeAddress
from pnyx.storage.identity import DataDirectory

CLUSTER = "ab" * 16
STATUS = {
    "cluster_id": CLUSTER,
    "members": [
        {
            "label": label, "host": f"10.77.0.{number}", "gateway_port": 6379,
            "cluster_port": 7001, "peer_port": 7101, "http_port": 8301,
        }
        for number, label in enumerate(("n1", "n2", ""), start=1)
    ],
}  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))


@pytest.fixture
def nobody() -> str:
    """An address where nobody answers."""
    return f"127.0.0.1:{out_of_the_way(1)[0].http}"


@pytest.mark.parametrize(
    "words",
    [
        ["node", "add", "n4=10.77.0.4"],
        ["node", "remove", "n3", "--yes"],
        ["node", "drain", "n3", "--yes"],
        ["group", "transfer-leader"],
    ],
)
def test_without_a_leader_nothing_is_changed_and_the_next_step_is_said(
    words: list[str],
    nobody: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(members, "LEADER_S_MAX", 0.3)
    monkeypatch.chdir(tmp_path)
    assert run([*words, "--http", nobody]) == 4
    said = capsys.readouterr().err
    assert "nothing was changed" in said
    assert "pnyx health" in said
    assert not list(tmp_path.glob("*.toml"))


@pytest.mark.parametrize(
    ("is_demo", "step"),
    [
        (True, "pnyx demo heal (for n2), then pnyx demo restart n3, then pnyx demo restart n4"),
        (
            False,
            "let n2 go on, or start it and its machine again, "
            "then pnyx server --config n3.toml, then pnyx server --config n4.toml",
        ),
    ],
)
def test_the_next_step_names_every_lost_node_and_how_it_comes_back(
    is_demo: bool, step: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reasons = {"n2": "timed out", "n3": "connection refused", "n4": "connection refused"}
    lost = [Asked(label, "127.0.0.1:1", None, reason) for label, reason in reasons.items()]
    up = Asked(
        "n1", "127.0.0.1:1", health.Report("n1", 1, 1, quorum=False, leader=None, members=())
    )
    # Another cluster's demo runs, too.
    node = running.RunningNode("n1", "127.0.0.1", 1, 2, 8301 if is_demo else 8401)
    demo = running.Running(1, "d", "d/demo.sock", (node,))
    monkeypatch.setattr(running, "find", lambda: demo)
    monkeypatch.setattr(status, "pages", lambda *_: {"n1": ("127.0.0.1", 8301)})
    monkeypatch.setattr(status, "ask_members", lambda _: [up, *lost])
    assert run(["health"]) == 4
    assert capsys.readouterr().out.endswith(f"  next    {step}\n")


@pytest.mark.parametrize(
    "words",
    [
        ["node", "list"],
        ["node", "show", "n1"],
        ["group", "list"],
        ["group", "show", "g1"],
        ["group", "members"],
    ],
)
def test_looking_without_a_leader_is_status_4(words: list[str], nobody: str) -> None:
    assert run([*words, "--http", nobody]) == 4


@pytest.mark.parametrize(
    "word",
    ["", "N4=h", "n4=", "n4=h:1,2,3", "n4=h:1,2,3,70000", "n4=h,n5=h", "n4=h:80", "n" * 33 + "=h"],
)
def test_what_names_no_node_is_refused(word: str) -> None:
    with pytest.raises(SettingsWrong, match="nothing was changed"):
        Newcomer.parsed(word)


def test_a_node_is_named_with_host_and_ports() -> None:
    four = NodeAddress(host="10.77.0.4", gateway_port=1, cluster_port=2, peer_port=3, http_port=4)
    assert Newcomer.parsed("n4=10.77.0.4:1,2,3,4") == Newcomer("n4", four)
    assert Newcomer.parsed("n4=10.77.0.4") == Newcomer("n4", NodeAddress(host="10.77.0.4"))
    assert Newcomer.parsed("n4=[::1]:1,2,3,4").address == four.model_copy(update={"host": "::1"})
    assert Newcomer.parsed("n4") == Newcomer("n4", None)


def test_a_new_nodes_file_names_all_members_and_keeps_the_others_settings(tmp_path: Path) -> None:
    nodes = "n1=10.77.0.1,n2=10.77.0.2"
    words = ["init", "--nodes", nodes, "--dir", str(tmp_path), "--password", "s3cret"]
    assert run(words) == 0
    config = tmp_path / "n1.toml"
    config.write_text(config.read_text() + "\n[raft]\nheartbeat_ms = 70\n")
    path = write_file(Newcomer.parsed("n4=10.77.0.4"), tmp_path, STATUS, config, None)
    written = tomllib.loads(path.read_text())
    assert (written["name"], written["data"], written["cluster_id"]) == ("n4", "n4", CLUSTER)
    assert (written["requirepass"], written["raft"]) == ("s3cret", {"heartbeat_ms": 70})
    assert {label: one["host"] for label, one in written["nodes"].items()} == {
        "n1": "10.77.0.1", "n2": "10.77.0.2", "n4": "10.77.0.4",
    }  # fmt: skip
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_file_of_another_cluster_is_not_taken_for_the_new_nodes(tmp_path: Path) -> None:
    newcomer = Newcomer.parsed("n4=127.0.0.1")
    path = write_file(newcomer, tmp_path, STATUS, None, "s3cret")
    before = path.read_bytes()
    assert write_file(newcomer, tmp_path, STATUS, None, None) == path
    with pytest.raises(SettingsWrong, match="exists; nothing was changed"):
        write_file(newcomer, tmp_path, STATUS | {"cluster_id": "cd" * 16}, None, None)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("n1=10.77.0.9", "n1 is a member at 10.77.0.1:6379,7001,7101,8301"),
        ("n1=10.77.0.1:1,2,3,4", "n1 is a member at 10.77.0.1:6379,7001,7101,8301"),
        ("n4=10.77.0.2", "n2 is a member at 10.77.0.2:6379,7001,7101,8301"),
    ],
)
def test_a_members_name_or_address_is_not_given_to_a_new_node(
    word: str, why: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsWrong, match="nothing was changed") as refused:
        write_file(Newcomer.parsed(word), tmp_path / "new", STATUS, None, "s3cret")
    assert refused.value.cause == why
    assert not (tmp_path / "new").exists()


def test_a_file_that_holds_another_address_is_not_the_new_nodes(tmp_path: Path) -> None:
    write_file(Newcomer.parsed("n4=127.0.0.4"), tmp_path, STATUS, None, None)
    with pytest.raises(SettingsWrong, match="exists; nothing was changed") as refused:
        write_file(Newcomer.parsed("n4=127.0.0.5"), tmp_path, STATUS, None, None)
    assert "n4 is at 127.0.0.4:6379" in refused.value.cause


def test_recovering_what_is_no_data_directory_makes_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["node", "recover", str(tmp_path / "none"), "--accept-data-loss"]) == 1
    assert "is not a pnyx data directory" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_a_node_that_never_was_in_a_cluster_is_not_recovered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    DataDirectory.open(tmp_path / "n1", CLUSTER, "n1").close()
    assert run(["node", "recover", str(tmp_path / "n1"), "--accept-data-loss"]) == 1
    assert "nothing was changed" in capsys.readouterr().err
