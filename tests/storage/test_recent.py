"""Rows that are kept in memory: never more than their limits, and always what the database has."""

from pathlib import Path

import pytest
from rocksdict import DbClosedError

from pnyx.prng import Prng
from pnyx.storage import recent
from pnyx.storage.memory import MemorySpace
from pnyx.storage.recent import RecentRows
from pnyx.storage.rocks import RocksSpace

KEYS = [b"%02d" % number for number in range(12)]


@pytest.mark.parametrize("count_max", [1, 4, 9, 100])
def test_whatever_is_read_is_what_was_written_last(
    count_max: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "RECENT_COUNT_MAX", count_max)
    monkeypatch.setattr(recent, "RECENT_ROW_BYTES_MAX", 20)
    rocks, memory, draw = RocksSpace(tmp_path), MemorySpace(), Prng(count_max)
    for _ in range(3000):
        rows: dict[bytes, bytes | None] = {}
        for _ in range(draw.below(3)):
            size = draw.below(60)
            rows[KEYS[draw.below(12)]] = None if size < 15 else bytes([draw.below(256)]) * size
        drops = [(KEYS[draw.below(12)], KEYS[draw.below(12)])] if draw.below(9) == 0 else []
        for space in (rocks, memory):
            space.write(rows, drops)
        for key in (KEYS[draw.below(12)], *rows):
            assert rocks.get(key) == memory.get(key)
    assert {key: rocks.get(key) for key in KEYS} == {key: memory.get(key) for key in KEYS}
    rocks.close()


def test_neither_many_rows_nor_many_bytes_are_more_than_two_generations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recent, "RECENT_COUNT_MAX", 10)
    monkeypatch.setattr(recent, "RECENT_BYTES_MAX", 1000)
    small, large = RecentRows(), RecentRows()
    for number in range(100):
        small.read(b"%d" % number, None)
        large.written({b"%d" % number: b"v" * 300}, 302)
        assert len(small.young) <= 10
        assert len(small.old) <= 11
        assert len(large.young) + len(large.old) <= 3 + 4
    assert b"99" in small.young or b"99" in small.old


def test_rows_that_are_written_again_and_again_drive_nothing_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recent, "RECENT_BYTES_MAX", 1000)
    rows = RecentRows()
    rows.written({b"other": b"1", b"gone": None}, 10)
    for number in range(100):
        rows.written({b"k": b"%03d" % number * 100}, 301)
    assert rows.young == {b"other": b"1", b"gone": None, b"k": b"099" * 100}
    for number in range(4):
        rows.written({b"more%d" % number: b"v" * 300}, 305)
    assert {b"other", b"gone", b"k"} <= set(rows.old)


def test_what_was_used_lately_outlives_what_was_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "RECENT_COUNT_MAX", 4)
    rows = RecentRows()
    rows.written({b"used": b"1", b"unused": b"2"}, 12)
    for number in range(20):
        rows.read(b"used", b"1")
        rows.read(b"%d" % number, b"")
    assert b"used" in {**rows.old, **rows.young}
    assert b"unused" not in {**rows.old, **rows.young}


def test_a_large_row_drives_nothing_out_and_leaves_nothing_old_behind(tmp_path: Path) -> None:
    space = RocksSpace(tmp_path)
    space.write({b"k": b"small", b"other": b"1"})
    space.write({b"k": b"v" * 5000})
    assert space.get(b"k") == b"v" * 5000
    assert set(space._recent.young) == {b"other"}
    space.close()


def test_a_read_of_a_row_that_was_read_before_does_not_ask_the_database(tmp_path: Path) -> None:
    space = RocksSpace(tmp_path)
    space.write({b"k": b"1"})
    space.close()
    space = RocksSpace(tmp_path)
    assert (space.get(b"k"), space.get(b"no")) == (b"1", None)
    space.close()
    assert (space.get(b"k"), space.get(b"no")) == (b"1", None)
    with pytest.raises(DbClosedError):
        space.get(b"new")
