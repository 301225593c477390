"""A data directory belongs to one node of one cluster, and to one process at a time."""

import subprocess
import sys
from pathlib import Path

import pytest

from pnyx.errors import LostDisk, WrongDirectory
from pnyx.storage.identity import IDENTITY_NAME, DataDirectory, read_identity


def contents(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir() if file.name != "lock"}


def test_a_new_directory_gets_an_id_that_stays(tmp_path: Path) -> None:
    data = tmp_path / "deep" / "n1"
    first = DataDirectory.open(data, "athens", "n1")
    node = first.identity.node
    assert 0 < node < 2**63
    first.record_start()
    first.close()

    second = DataDirectory.open(data, "athens", "n1")

    assert second.identity.node == node
    assert second.identity.started
    second.close()


def test_two_directories_never_share_an_id(tmp_path: Path) -> None:
    nodes = set()
    for number in range(20):
        directory = DataDirectory.open(tmp_path / str(number), "athens", "n1")
        nodes.add(directory.identity.node)
        directory.close()
    assert len(nodes) == 20


@pytest.mark.parametrize(("cluster", "label"), [("sparta", "n1"), ("athens", "n2")])
def test_the_directory_of_another_node_is_refused_untouched(
    tmp_path: Path, cluster: str, label: str
) -> None:
    DataDirectory.open(tmp_path, "athens", "n1").close()
    before = contents(tmp_path)
    with pytest.raises(WrongDirectory, match="n1 of cluster athens") as wrong:
        DataDirectory.open(tmp_path, cluster, label)
    assert f"{label} of cluster {cluster}" in wrong.value.cause
    assert contents(tmp_path) == before


def test_a_log_that_one_engine_wrote_is_not_opened_by_the_other(tmp_path: Path) -> None:
    DataDirectory.open(tmp_path, "athens", "n1", "multipaxos").close()
    before = contents(tmp_path)
    with pytest.raises(WrongDirectory, match="written by multipaxos"):
        DataDirectory.open(tmp_path, "athens", "n1", "raft")
    assert contents(tmp_path) == before
    assert DataDirectory.open(tmp_path, "athens", "n1", "multipaxos").identity.node


def test_a_directory_with_something_else_in_it_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("chapter one")
    with pytest.raises(WrongDirectory, match="not empty"):
        DataDirectory.open(tmp_path, "athens", "n1")
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_first_start_that_was_cut_short_can_be_repeated(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    (tmp_path / f"{IDENTITY_NAME}.tmp").write_bytes(b'{"clus')
    directory = DataDirectory.open(tmp_path, "athens", "n1")
    assert read_identity(tmp_path) == directory.identity
    directory.close()


def test_an_unreadable_identity_is_a_lost_disk_and_stays_as_it_is(tmp_path: Path) -> None:
    DataDirectory.open(tmp_path, "athens", "n1").close()
    (tmp_path / IDENTITY_NAME).write_bytes(b"\0\0\0")
    with pytest.raises(LostDisk, match=IDENTITY_NAME):
        DataDirectory.open(tmp_path, "athens", "n1")
    assert (tmp_path / IDENTITY_NAME).read_bytes() == b"\0\0\0"


HOLDER = """
import sys
from pathlib import Path
from pnyx.storage.identity import DataDirectory
directory = DataDirectory.open(Path(sys.argv[1]), "athens", "n1")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_refused_and_told_who_holds_the_lock(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(WrongDirectory, match="in use") as wrong:
            DataDirectory.open(tmp_path, "athens", "n1")
        assert str(holder.pid) in wrong.value.cause
        holder.kill()
    DataDirectory.open(tmp_path, "athens", "n1").close()


def test_a_directory_without_identity_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongDirectory, match="not a pnyx data directory"):
        read_identity(tmp_path)


def test_a_directory_of_the_format_with_one_group_is_refused_and_left_alone(tmp_path: Path) -> None:
    DataDirectory.open(tmp_path, "c", "n1").close()
    path = tmp_path / IDENTITY_NAME
    path.write_text(path.read_text().replace('"format": 2', '"format": 1'))
    before = path.read_bytes()
    with pytest.raises(WrongDirectory, match="has format 1") as refused:
        DataDirectory.open(tmp_path, "c", "n1")
    assert "reads format 2" in refused.value.cause
    assert path.read_bytes() == before
