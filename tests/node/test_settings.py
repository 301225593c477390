"""Settings: layers, origins, and one clear error for whatever cannot be meant."""

import re
from pathlib import Path
from typing import Any

import pytest

from pnyx.errors import SettingsWrong
from pnyx.node.catalogue import CATALOGUE
from pnyx.node.example import example, init_files, reference, settings_file
from pnyx.node.settings import NodeAddress, Settings
from pnyx.node.sources import load

CLUSTER = "0123456789abcdef" * 2
NODES = {
    f"n{i}": NodeAddress(
        host="127.0.0.1",
        gateway_port=6378 + i,
        cluster_port=7000 + i,
        peer_port=7100 + i,
        http_port=8300 + i,
    )
    for i in (1, 2, 3)
}
REMOTE = {f"n{i}": NodeAddress(host=f"10.77.0.{i}") for i in (1, 2, 3)}


def text(nodes: dict[str, NodeAddress] = NODES, **top: object) -> str:
    return settings_file("n1", CLUSTER, nodes, top)


def loaded(
    tmp_path: Path, written: str, flags: dict[str, Any] | None = None, **environ: str
) -> Settings:
    path = tmp_path / "n1.toml"
    path.write_text(written)
    return load(path, environ, flags)


def refused(
    tmp_path: Path, written: str, flags: dict[str, Any] | None = None, **environ: str
) -> str:
    with pytest.raises(SettingsWrong) as caught:
        loaded(tmp_path, written, flags, **environ)
    assert caught.value.next_step, "an error says what to do"
    return caught.value.explain()


def test_what_is_not_set_has_its_default(tmp_path: Path) -> None:
    settings = loaded(tmp_path, text())
    assert settings.me == NODES["n1"]
    assert settings.raft.heartbeat_ms == 50
    assert settings.origin("raft.heartbeat_ms") == "default"
    assert settings.data == tmp_path / "n1"


def test_a_flag_beats_the_environment_beats_the_file(tmp_path: Path) -> None:
    written = text(drain_ms=1_000)
    assert loaded(tmp_path, written).drain_ms == 1_000
    assert loaded(tmp_path, written, PNYX_DRAIN_MS="2000").drain_ms == 2_000
    settings = loaded(tmp_path, written, {"drain_ms": "3000"}, PNYX_DRAIN_MS="2000")
    assert settings.drain_ms == 3_000
    assert settings.origin("drain_ms") == "flag"
    assert settings.origin("name") == str(tmp_path / "n1.toml")


def test_a_variable_reaches_into_a_table(tmp_path: Path) -> None:
    settings = loaded(tmp_path, text(), PNYX_RAFT__HEARTBEAT_MS="40")
    assert settings.raft_settings.heartbeat_ms == 40
    assert settings.origin("raft.heartbeat_ms") == "PNYX_RAFT__HEARTBEAT_MS"


def test_a_variable_that_resembles_no_setting_is_passed_over(tmp_path: Path) -> None:
    assert loaded(tmp_path, text(), PNYX_PORT_6379_TCP="tcp://10.0.0.1:6379").name == "n1"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("fault = true\n" + text(), "faults"),
        (text() + "[raft]\nheartbeat_m = 1\n", "raft.heartbeat_ms"),
        (text() + "[storage]\nheartbeat_ms = 1\n", "raft.heartbeat_ms"),
        (text().replace("http_port", "htp_port"), "nodes.n1.http_port"),
    ],
)
def test_an_unknown_key_gets_a_suggestion(tmp_path: Path, written: str, meant: str) -> None:
    assert f"did you mean {meant}?" in refused(tmp_path, written)


def test_a_misspelt_variable_gets_a_suggestion(tmp_path: Path) -> None:
    said = refused(tmp_path, text(), PNYX_RAFT_HEARTBEAT_MS="40")
    assert "did you mean PNYX_RAFT__HEARTBEAT_MS?" in said


def test_an_unknown_flag_is_refused(tmp_path: Path) -> None:
    assert "did you mean drain_ms?" in refused(tmp_path, text(), {"drain_m": 1})


def test_a_bad_range_names_key_value_range_and_file(tmp_path: Path) -> None:
    said = refused(tmp_path, text() + "[raft]\nheartbeat_ms = 0\n")
    for part in ("raft.heartbeat_ms = 0", "5 to 10000", str(tmp_path / "n1.toml")):
        assert part in said


def test_a_bad_value_of_a_variable_names_the_variable(tmp_path: Path) -> None:
    said = refused(tmp_path, text(), PNYX_LIMITS__PARK_MS="soon")
    assert "limits.park_ms = 'soon'" in said
    assert "PNYX_LIMITS__PARK_MS sets it" in said


@pytest.mark.parametrize(
    ("written", "part"),
    [
        ("x = = 1", "is not TOML"),
        (text().replace('name = "n1"', 'name = "n9"'), "none of the nodes n1, n2, n3"),
        (text().replace('name = "n1"', 'name = "N 1"'), "name = 'N 1'"),
        (text().replace(f'cluster_id = "{CLUSTER}"', ""), "cluster_id is missing"),
        (text().replace(CLUSTER, "cafe"), "32 hex digits"),
        (text().replace("7102", "7103"), "peer_port of n2 and peer_port of n3"),
        (text().replace("7102", "6379"), "gateway_port of n1 and peer_port of n2"),
        (text() + "[raft]\nheartbeat_ms = 200\n", "two heartbeats"),
        (text() + "[storage]\nsegment_bytes = 1048576\n", "twice limits.entry_bytes_max"),
        (text() + "[limits]\nvalue_bytes_max = 8388608\n", "limits.value_bytes_max"),
        (text() + "[nodes.n4]\n", "nodes.n4.host is missing"),
        (text() + "[nodes.N4]\nhost = 'x'\n", "nodes.N4"),
        ("raft = 3\n" + text(), "there is no setting raft"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, written: str, part: str) -> None:
    assert part in refused(tmp_path, written)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsWrong, match=r"none\.toml"):
        load(tmp_path / "none.toml")


def test_an_address_others_can_reach_needs_a_password_or_insecure(tmp_path: Path) -> None:
    assert "there is no requirepass" in refused(tmp_path, text(REMOTE))
    assert loaded(tmp_path, text(REMOTE), {"insecure": True}).insecure
    assert loaded(tmp_path, text(REMOTE, requirepass="s3cret")).requirepass == "s3cret"
    assert loaded(tmp_path, text({"n1": NodeAddress(host="localhost")})).me.host == "localhost"


def test_the_password_is_in_no_error_and_no_repr(tmp_path: Path) -> None:
    written = text(REMOTE, requirepass="s3cret")
    assert "s3cret" not in repr(loaded(tmp_path, written))
    assert "s3cret" not in refused(tmp_path, written + "[raft]\nheartbeat_ms = 0\n")
    said = refused(tmp_path, written.replace('"s3cret"', '["s3cret"]'))
    assert "s3cret" not in said
    assert "requirepass" in said


def test_init_writes_a_file_a_node_that_loads(tmp_path: Path) -> None:
    paths = init_files(REMOTE, tmp_path / "new", extra={"insecure": True, "raft.heartbeat_ms": 40})
    settings = [load(path) for path in paths]
    assert [one.name for one in settings] == ["n1", "n2", "n3"]
    assert len({one.cluster_id for one in settings}) == 1
    assert settings[1].me == NodeAddress(host="10.77.0.2")
    assert settings[1].data == tmp_path / "new" / "n2"
    assert settings[2].raft.heartbeat_ms == 40
    assert paths[0].stat().st_mode & 0o077 == 0


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "n2.toml").write_text("precious")
    with pytest.raises(SettingsWrong, match="exists"):
        init_files(NODES, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["n2.toml"]
    assert (tmp_path / "n2.toml").read_text() == "precious"


def test_init_refuses_open_addresses(tmp_path: Path) -> None:
    with pytest.raises(SettingsWrong, match="can be reached by others"):
        init_files(REMOTE, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_two_clusters_never_share_an_id(tmp_path: Path) -> None:
    ids = {load(init_files(NODES, tmp_path / at)[0]).cluster_id for at in ("a", "b")}
    assert len(ids) == 2


def test_the_example_loads_and_says_the_defaults(tmp_path: Path) -> None:
    whole = example()
    settings = loaded(tmp_path, whole)
    with_all = "\n".join(
        line.removeprefix("# ") if " = " in line else line for line in whole.split("\n")
    )
    assert loaded(tmp_path, with_all).model_dump() == settings.model_dump()
    assert all(row.name.rpartition(".")[2] in whole for row in CATALOGUE.values())


def test_every_number_has_a_range_and_a_unit() -> None:
    for row in CATALOGUE.values():
        if type(row.default) is int:
            assert row.low is not None, row.name
            assert row.high is not None, row.name
            unit = re.sub("_soft|_min|_max", "", row.name).rpartition("_")[2]
            counted = {"raft.inflight_max", "raft.reads_max", "limits.clients_max"}
            counted |= {"groups", "shards"}
            assert unit in {"us", "ms", "bytes", "port", "entries"} or row.name in counted, row.name


def test_the_reference_page_is_the_catalogue() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
    assert reference() in page.read_text(), "run: python -m pnyx.node.example > table"
