"""What RocksDB must do for a node beyond what every space does (properties/test_spaces.py)."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pnyx.errors import LostDisk, NoRoom
from pnyx.harness.disks import FaultImpossible, small_disk
from pnyx.storage import garbage, rocks
from pnyx.storage.rocks import BLOB_BYTES, RocksSpace

ROWS = {b"key %06d" % i: b"value %06d " % i * 10 for i in range(20_000)}


def filled(path: Path) -> None:
    space = RocksSpace(path)
    space.write(ROWS)
    space.close()


def largest_table(path: Path) -> Path:
    return max(path.glob("*.sst"), key=lambda file: file.stat().st_size)


def overwrite(file: Path, at: int, content: bytes) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(content)


def test_a_damaged_row_is_a_lost_disk_for_get_and_scan(tmp_path: Path) -> None:
    """A scan that met damage would otherwise just end early, as if there were no more rows."""
    filled(tmp_path)
    table = largest_table(tmp_path)
    overwrite(table, table.stat().st_size // 2, b"\xff" * 64)
    space = RocksSpace(tmp_path)
    with pytest.raises(LostDisk, match="damaged"):
        list(space.scan(b"", b"\xff"))
    with pytest.raises(LostDisk, match="damaged"):
        dict.fromkeys(map(space.get, ROWS))
    view = space.view()
    with pytest.raises(LostDisk, match="damaged"):
        list(view.scan(b"", b"\xff"))
    view.close()


def test_large_values_lie_apart_come_back_and_go_with_their_range(tmp_path: Path) -> None:
    large = {b"l%d" % number: bytes([number]) * 2 * BLOB_BYTES for number in range(8)}
    space = RocksSpace(tmp_path)
    space.write({**large, b"m": b"small"})
    space.close()
    assert list(tmp_path.glob("*.blob"))
    space = RocksSpace(tmp_path)
    assert {key: space.get(key) for key in large} == large
    assert dict(space.scan(b"l", b"m")) == large
    view = space.view()
    space.write({}, [(b"l", b"m")])
    space.flush()
    assert dict(view.scan(b"l", b"m")) == large
    view.close()
    assert list(space.scan(b"", b"\xff")) == [(b"m", b"small")]
    space.close()


def large(first: int, count: int) -> dict[bytes, bytes]:
    return {b"l%06d" % number: os.urandom(5 * BLOB_BYTES) for number in range(first, first + count)}


def test_large_values_that_stay_are_written_once(tmp_path: Path) -> None:
    space = RocksSpace(tmp_path)
    space.write(large(0, 100))
    space.flush()
    first = set(tmp_path.glob("*.blob"))
    for number in range(12):
        # Among the keys of those, so that every compaction meets them.
        space.write({key + b"%d" % number: value for key, value in large(0, 100).items()})
        space.flush()
    space.close()
    assert len(first) == 1
    assert first <= set(tmp_path.glob("*.blob"))


def room(path: Path) -> int:
    held = 0
    for file in path.glob("*.blob"):
        # RocksDB's own threads drop files, also between the listing and this.
        with contextlib.suppress(FileNotFoundError):
            held += file.stat().st_size
    return held


def write_garbage(space: RocksSpace) -> int:
    """Write large rows, most of them twelve times; return the bytes of those that live."""
    for number in range(12):
        # Ten of each file stay, and keep it.
        space.write(large(1_000 * number, 10) | large(50_000, 190))
        space.flush()
    return (12 * 10 + 190) * 5 * BLOB_BYTES


def write_others_until_room(space: RocksSpace, path: Path, goal: float) -> None:
    deadline = time.monotonic() + 60
    while room(path) > goal:
        assert time.monotonic() < deadline, f"{room(path)} bytes for {goal}"
        space.write({b"m": os.urandom(8)})
        space.flush()
        time.sleep(0.05)


def test_the_room_of_large_values_that_are_gone_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(garbage, "GARBAGE_BYTES_LEAST", 1_000_000)
    space = RocksSpace(tmp_path)
    lives = write_garbage(space)
    assert room(tmp_path) > 3 * lives
    write_others_until_room(space, tmp_path, 1.5 * lives)
    space.close()


def test_room_of_large_values_comes_back_though_the_oldest_files_have_no_garbage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(garbage, "GARBAGE_BYTES_LEAST", 1_000_000)
    space = RocksSpace(tmp_path)
    for number in range(16):
        space.write(large(20_000 + 1_000 * number, 10))
        space.flush()
    lives = write_garbage(space) + 16 * 10 * 5 * BLOB_BYTES
    write_others_until_room(space, tmp_path, 1.5 * lives)
    space.close()


def test_a_damaged_large_value_is_a_lost_disk_for_get_and_scan(tmp_path: Path) -> None:
    space = RocksSpace(tmp_path)
    space.write({b"l": bytes(2 * BLOB_BYTES)})
    space.close()
    (apart,) = tmp_path.glob("*.blob")
    overwrite(apart, apart.stat().st_size // 2, b"\xff" * 64)
    space = RocksSpace(tmp_path)
    with pytest.raises(LostDisk, match="damaged"):
        space.get(b"l")
    with pytest.raises(LostDisk, match="damaged"):
        list(space.scan(b"", b"\xff"))


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def garble(file: Path) -> None:
    overwrite(file, 0, b"\x55" * (file.stat().st_size // 2))


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("CURRENT", Path.unlink),
        ("CURRENT", cut),
        ("MANIFEST", Path.unlink),
        ("MANIFEST", garble),
        (".sst", Path.unlink),
        (".sst", cut),
    ],
)
def test_a_database_without_one_of_its_files_is_a_lost_disk(
    tmp_path: Path, name: str, harm: Callable[[Path], object]
) -> None:
    """A MANIFEST cut short is not among them: it reads as an older state, and the log knows."""
    filled(tmp_path)
    harm(next(file for file in sorted(tmp_path.iterdir()) if name in file.name))
    before = sorted(file.name for file in tmp_path.glob("*.sst"))
    with pytest.raises(LostDisk):
        RocksSpace(tmp_path)
    assert sorted(file.name for file in tmp_path.glob("*.sst")) == before


def test_a_scan_ends_at_its_bound_though_nobody_else_keeps_it(tmp_path: Path) -> None:
    """The iterator points into memory of its options: it once ran on into other shards' rows."""
    space = RocksSpace(tmp_path)
    space.write(ROWS)
    for number in range(500):
        end = b"key %06d" % (number + 5)
        found = space.scan(b"key %06d" % number, bytes(bytearray(end)))
        del end
        # Memory that was given back is taken again.
        keys = [(key, [os.urandom(10) for _ in range(9)])[0] for key, _ in found]
        assert keys == [b"key %06d" % at for at in range(number, number + 5)]


def test_two_scans_of_one_view_do_not_disturb_each_other(tmp_path: Path) -> None:
    space = RocksSpace(tmp_path)
    space.write({b"%02d" % i: b"old" for i in range(20)})
    view = space.view()
    space.write({b"%02d" % i: b"new" for i in range(40)})
    both = zip(view.scan(b"", b"~"), view.scan(b"", b"~"), strict=True)
    assert [(one[0], one == other, one[1]) for one, other in both] == [
        (b"%02d" % i, True, b"old") for i in range(20)
    ]
    view.close()
    space.close()


KILLED = """
import os, sys
from pathlib import Path
from pnyx.storage.rocks import RocksSpace
space = RocksSpace(Path(sys.argv[1]))
for number in range(400):
    space.write({b"applied": b"%d" % number, b"row %d" % number: bytes(100)})
    if number == 250:
        space.flush()
os.kill(os.getpid(), 9)
"""


def test_a_killed_process_keeps_what_was_flushed_and_no_half_batch(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    space = RocksSpace(tmp_path)
    applied = int(space.get(b"applied") or -1)
    assert applied >= 250
    assert len(list(space.scan(b"row ", b"row~"))) == applied + 1
    space.close()


def test_a_copy_made_under_way_opens_with_what_was_flushed(tmp_path: Path) -> None:
    space = RocksSpace(tmp_path / "live")
    space.write({b"a": b"1"})
    space.flush()
    space.write({b"a": b"2"})
    shutil.copytree(tmp_path / "live", tmp_path / "copy")
    crashed = RocksSpace(tmp_path / "copy")
    assert crashed.get(b"a") == b"1"
    assert space.get(b"a") == b"2"
    crashed.close()
    space.close()


LOADED = """
import sys
from pathlib import Path
from pnyx.storage.rocks import RocksSpace
space = RocksSpace(Path(sys.argv[1]))
for first in range(0, 1_000_000, 1000):
    keys = (n * 7919 % 1_000_000 for n in range(first, first + 1000))
    space.write({b"group generation kind slot %012d" % n: b"%099d" % n for n in keys})
space.flush()
assert sum(1 for _ in space.scan(b"group", b"grouq")) == 1_000_000
space.close()
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) // 1024)
"""
"""The kernel's `ru_maxrss` would be what pytest held when it started this, if that is more."""


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """The ballast that will fill a file system of 40 MiB, in which a space may lie."""
    try:
        with small_disk(tmp_path, 40):
            yield tmp_path / "ballast"
    except FaultImpossible as error:
        pytest.skip(error.explain())


def fill(ballast: Path) -> None:
    with ballast.open("ab", 0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 65_536):
            pass


def test_a_flush_without_room_changes_nothing_and_succeeds_when_there_is_some(full: Path) -> None:
    space = RocksSpace(full.parent / "space")
    space.write({b"early": b"1"})
    fill(full)
    with pytest.raises(NoRoom):
        space.flush()
    space.write({b"late": b"2"})
    assert dict(space.scan(b"", b"z")) == {b"early": b"1", b"late": b"2"}
    full.unlink()
    space.flush()
    space.close()


def test_a_full_disk_takes_more_writes_than_one_table_without_a_flush(full: Path) -> None:
    space = RocksSpace(full.parent / "space")
    space.write({b"early": b"1"})
    fill(full)
    with pytest.raises(NoRoom):
        space.flush()
    rows = {b"key %03d" % number: os.urandom(100_000) for number in range(180)}
    assert sum(map(len, rows.values())) > rocks.MEMTABLE_BYTES
    for key, row in rows.items():
        space.write({key: row})
    assert dict(space.scan(b"key", b"z")) == rows
    full.unlink()
    space.flush()
    assert dict(space.scan(b"key", b"z")) == rows
    space.close()


def test_a_space_closes_on_a_full_disk(full: Path) -> None:
    space = RocksSpace(full.parent / "space")
    space.write({b"key": b"1"})
    fill(full)
    space.close()


@pytest.mark.slow
def test_a_million_keys_stay_far_below_the_nodes_memory(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LOADED, str(tmp_path)]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(loaded.stdout) < 250, "MiB at most; a whole node may take 400"
