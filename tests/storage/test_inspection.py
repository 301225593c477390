"""What the operator sees of a log, without changing it."""

from pathlib import Path

import pytest

from pnyx.errors import WrongDirectory
from pnyx.ids import GroupId
from pnyx.storage.files import DiskFiles
from pnyx.storage.identity import WAL_NAME, DataDirectory
from pnyx.storage.inspection import dump, verify
from pnyx.storage.recovery import Verdict
from pnyx.storage.wal import Wal
from smalllog import SETTINGS, entry, nonces, write


def written(data: Path) -> DataDirectory:
    directory = DataDirectory.open(data, "athens", "n1")
    files = DiskFiles(data / WAL_NAME)
    log, _ = Wal.open(files, directory.identity, SETTINGS, {}, nonces(1))
    for index in range(1, 7):
        log.append([write(1, entry(index), vote=(3, 9))])
    log.append([write(1, compacted=(2, 1))])
    log.close()
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
