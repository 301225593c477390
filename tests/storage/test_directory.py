"""How the zeros of a new file reach a real disk."""

import os
import time
from errno import EINVAL
from fcntl import F_GETFL, fcntl
from pathlib import Path

import pytest

from pnyx.storage.directory import SPREAD_BYTES, SPREAD_S, ZERO_BYTES, DiskFiles
from pnyx.storage.files import Zeros

SIZE = 5 * SPREAD_BYTES // 2


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it was waited, in s."""
    seen: list[float] = []
    monkeypatch.setattr(time, "sleep", seen.append)
    return seen


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of what was written."""
    seen: list[int] = []
    pwrite = os.pwrite

    def watched(descriptor: int, content: bytes, offset: int) -> int:
        seen.append(len(content))
        return pwrite(descriptor, content, offset)

    monkeypatch.setattr(os, "pwrite", watched)
    return seen


@pytest.mark.parametrize("zeros", Zeros)
def test_a_new_file_is_zeros_however_they_come_about(tmp_path: Path, zeros: Zeros) -> None:
    files = DiskFiles(tmp_path)
    files.create("1.tmp", SIZE, zeros)
    assert files.read("1.tmp", 0, 2 * SIZE) == bytes(SIZE)


def test_zeros_that_nobody_waits_for_leave_the_disk_to_others_between(
    tmp_path: Path, pauses: list[float], pieces: list[int]
) -> None:
    DiskFiles(tmp_path).create("1.tmp", SIZE, Zeros.SPREAD)
    assert pieces == [SPREAD_BYTES, SPREAD_BYTES, SPREAD_BYTES // 2]
    assert [round(each / SPREAD_S, 6) for each in pauses] == [0.4, 0.4, 0.2], "half a second in all"


def test_zeros_that_somebody_waits_for_are_written_without_a_pause(
    tmp_path: Path, pauses: list[float], pieces: list[int]
) -> None:
    DiskFiles(tmp_path).create("1.tmp", 2 * ZERO_BYTES, Zeros.AT_ONCE)
    assert pieces == [ZERO_BYTES, ZERO_BYTES]
    assert pauses == []


def test_zeros_go_past_the_page_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    direct: list[int] = []
    opened, pwrite = os.open, os.pwrite

    def watched_open(path: Path, flags: int, mode: int = 0o777) -> int:
        descriptor = opened(path, flags, mode)
        if flags & os.O_DIRECT:
            direct.append(descriptor)
        return descriptor

    def watched_write(descriptor: int, content: bytes, offset: int) -> int:
        assert descriptor in direct
        return pwrite(descriptor, content, offset)

    monkeypatch.setattr(os, "open", watched_open)
    monkeypatch.setattr(os, "pwrite", watched_write)
    DiskFiles(tmp_path).create("1.tmp", SIZE)
    assert len(direct) == 1


@pytest.mark.usefixtures("cached_only")
def test_where_nothing_goes_past_the_page_cache_zeros_go_through_it(tmp_path: Path) -> None:
    files = DiskFiles(tmp_path)
    files.create("1.tmp", SIZE, Zeros.SPREAD)
    assert files.read("1.tmp", 0, 2 * SIZE) == bytes(SIZE)


def test_where_only_the_write_past_the_page_cache_is_refused_zeros_go_through_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite = os.pwrite
    refused: list[int] = []

    def picky(descriptor: int, content: bytes, offset: int) -> int:
        if fcntl(descriptor, F_GETFL) & os.O_DIRECT:
            refused.append(descriptor)
            raise OSError(EINVAL, "not past the page cache")
        return pwrite(descriptor, content, offset)

    monkeypatch.setattr(os, "pwrite", picky)
    files = DiskFiles(tmp_path)
    files.create("1.tmp", SIZE, Zeros.SPREAD)
    assert len(refused) == 1
    assert files.read("1.tmp", 0, 2 * SIZE) == bytes(SIZE)


def test_a_file_that_takes_no_more_is_an_error_and_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = DiskFiles(tmp_path)
    monkeypatch.setattr(os, "pwrite", lambda *_: 0)
    with pytest.raises(OSError, match="takes no more bytes at offset 0"):
        files.create("1.tmp", SIZE)
    assert files.names() == []
