"""What the operator sees of a log, without changing it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from pnyx.consensus.ready import Mark
from pnyx.errors import DiskFailed, LostDisk, WrongDirectory
from pnyx.ids import GroupId, Index, Term
from pnyx.machine.group import Group
from pnyx.machine.rows import KIND_META, Meta, encode_row, group_prefix
from pnyx.node.disk import open_data
from pnyx.storage.directory import DiskFiles
from pnyx.storage.identity import SPACE_NAME, WAL_NAME, DataDirectory
from pnyx.storage.inspection import dump, verify
from pnyx.storage.recovery import Verdict
from pnyx.storage.rocks import RocksSpace
from pnyx.storage.wal import Wal
from smalllog import SETTINGS, entry, nonces, write

GROUP: Final = GroupId(1)


def applied_at(data: Path, index: int, *, term: int = 1, installed: bool = False) -> None:
    """Let the space durably hold group 1 up to that entry."""
    space = RocksSpace(data / SPACE_NAME)
    at = Mark(Index(index), Term(term))
    meta = Meta(applied=at, installed=at if installed else Mark())
    space.write({group_prefix(GROUP, 0) + KIND_META: encode_row(meta)})
    space.close()


def written(data: Path) -> DataDirectory:
    directory = DataDirectory.open(data, "athens", "n1")
    files = DiskFiles(data / WAL_NAME)
    log, _ = Wal.open(files, directory.identity, SETTINGS, {}, nonces(1))
    directory.record_start()
    for index in range(1, 7):
        log.append([write(1, entry(index), vote=(3, 9))])
    log.append([write(1, compacted=(2, 1))])
    log.close()
    applied_at(data, 4)
    return directory


def contents(data: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in data.rglob("*") if file.is_file()}


def test_an_intact_log_is_told_group_by_group_and_not_touched(tmp_path: Path) -> None:
    written(tmp_path).close()
    before = contents(tmp_path)

    found = verify(tmp_path)

    assert found.lost is None
    assert not found.is_running
    assert [(row.group, row.term, row.compacted, row.last) for row in found.groups] == [
        (1, 3, 2, 6)
    ]
    assert set(found.counted().values()) == {0, len(found.decisions)}
    assert contents(tmp_path) == before


def test_a_damaged_log_says_where(tmp_path: Path) -> None:
    written(tmp_path).close()
    first = min((tmp_path / WAL_NAME).iterdir())
    content = bytearray(first.read_bytes())
    content[4 * 4096 + 60] ^= 1
    first.write_bytes(content)
    shutil.rmtree(tmp_path / SPACE_NAME)

    found = verify(tmp_path)

    assert found.lost is not None
    assert f"{first.name} at offset {4 * 4096}" in found.lost.effect
    bad = [decision for decision in found.decisions if decision.verdict is Verdict.LOST]
    assert [(decision.segment, decision.batch) for decision in bad] == [(1, 4)]


def test_the_dump_has_a_row_for_every_record(tmp_path: Path) -> None:
    written(tmp_path).close()
    rows = list(dump(tmp_path))
    entries = [row for row in rows if row.what == "entry"]
    assert [(row.group, row.index, row.term) for row in entries] == [
        (GroupId(1), index, 1) for index in range(1, 7)
    ]
    assert {row.what for row in rows} == {"group", "hard state", "entry", "compacted"}
    assert rows[-1].what == "compacted"


def test_a_directory_in_use_is_read_and_said_to_be_in_use(tmp_path: Path) -> None:
    directory = written(tmp_path)
    assert verify(tmp_path).is_running
    directory.close()
    assert not verify(tmp_path).is_running


def test_a_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongDirectory):
        verify(tmp_path)
    DataDirectory.open(tmp_path, "athens", "n1").close()
    with pytest.raises(WrongDirectory, match="no write-ahead log"):
        list(dump(tmp_path))


def segments(data: Path) -> list[Path]:
    return sorted((data / WAL_NAME).iterdir())


def flip(file: Path, offset: int) -> None:
    content = bytearray(file.read_bytes())
    content[offset : offset + 16] = bytes(byte ^ 0x5A for byte in content[offset : offset + 16])
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:5_000])


def tables(data: Path) -> list[Path]:
    return sorted((data / SPACE_NAME).glob("*.sst"))


def lose_the_log(data: Path) -> None:
    for file in segments(data):
        file.unlink()


def damage_beyond_the_space(data: Path) -> None:
    applied_at(data, 4)
    flip(segments(data)[1], 4_100)


DAMAGES: Final[dict[str, tuple[bool, Callable[[Path], object]]]] = {
    "none": (True, lambda data: None),
    "a batch of an old segment": (True, lambda data: flip(segments(data)[0], 12_350)),
    "the checkpoint of an old segment": (True, lambda data: flip(segments(data)[1], 4_100)),
    "the header of an old segment": (True, lambda data: flip(segments(data)[0], 0)),
    "the first segment is gone": (True, lambda data: segments(data)[0].unlink()),
    "the second segment is gone": (True, lambda data: segments(data)[1].unlink()),
    "an old segment is cut": (True, lambda data: cut(segments(data)[0])),
    "the last batch": (True, lambda data: flip(segments(data)[-1], 12_300)),
    "the batch before the last": (False, lambda data: flip(segments(data)[-1], 8_200)),
    "the header of the newest segment": (False, lambda data: flip(segments(data)[-1], 0)),
    "the checkpoint of the newest segment": (False, lambda data: flip(segments(data)[-1], 4_100)),
    "the newest segment is gone": (False, lambda data: segments(data)[-1].unlink()),
    "the log is gone": (False, lose_the_log),
    "the space is gone": (False, lambda data: shutil.rmtree(data / SPACE_NAME)),
    "the space's table is gone": (False, lambda data: tables(data)[-1].unlink()),
    "the space is behind the log": (False, lambda data: applied_at(data, 1)),
    "the space is behind the damage": (False, damage_beyond_the_space),
    "the space is ahead of the log": (False, lambda data: applied_at(data, 99)),
    "a snapshot was just installed": (
        True,
        lambda data: applied_at(data, 99, term=5, installed=True),
    ),
}


def starts(data: Path) -> bool:
    """Start on a copy, as a node does."""
    copy = shutil.copytree(data, data.parent / "copy")
    try:
        open_data(copy, "athens", "n1", SETTINGS, "raft").close()
    except LostDisk:
        return False
    return True


@pytest.mark.parametrize("damage", DAMAGES)
def test_verify_refuses_what_a_start_refuses_and_nothing_else(tmp_path: Path, damage: str) -> None:
    # It knew nothing of the space, and told operators to throw replicas away that started.
    data = tmp_path / "n1"
    written(data).close()
    disk = open_data(data, "athens", "n1", SETTINGS, "raft")
    for index in range(7, 14):
        disk.wal.append([write(1, entry(index), vote=(3, 9))])
    disk.close()
    applied_at(data, 12)
    expected, do = DAMAGES[damage]
    do(data)
    before = contents(data)

    found = verify(data)

    assert (found.lost is None, starts(data)) == (expected, expected)
    assert contents(data) == before


def test_a_space_that_is_gone_is_a_lost_disk_also_under_a_whole_log(tmp_path: Path) -> None:
    # The node took its groups for new and voted again, with empty logs: writes were lost.
    data = tmp_path / "n1"
    directory = DataDirectory.open(data, "athens", "n1", "raft")
    log, _ = Wal.open(DiskFiles(data / WAL_NAME), directory.identity, SETTINGS, {}, nonces(1))
    directory.record_start()
    log.append([write(1, entry(1), vote=(3, 9))])
    log.close()
    directory.close()

    found = verify(data)

    assert found.lost is not None
    assert "the state of g1 is gone" in found.lost.effect
    assert not starts(data)


def test_a_running_nodes_space_is_read_as_far_as_it_is_durable(tmp_path: Path) -> None:
    written(tmp_path).close()
    disk = open_data(tmp_path, "athens", "n1", SETTINGS, "raft")
    before = contents(tmp_path)
    found = verify(tmp_path)
    assert (found.lost, found.is_running) == (None, True)
    assert contents(tmp_path) == before
    assert Group(disk.space, GROUP).applied.index == 4
    disk.close()


def test_a_segment_that_a_running_node_removes_meanwhile_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = written(tmp_path)
    sizes, calls = DiskFiles.size, []

    def size(files: DiskFiles, name: str) -> int:
        calls.append(name)
        if len(calls) == 1:
            raise FileNotFoundError(name)
        return sizes(files, name)

    monkeypatch.setattr(DiskFiles, "size", size)
    assert verify(tmp_path).lost is None
    directory.close()
    calls.clear()
    with pytest.raises(DiskFailed):
        verify(tmp_path)
