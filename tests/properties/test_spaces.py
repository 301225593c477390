"""Both spaces do the same, crash included: whatever tests prove on one holds on the other."""

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pnyx.machine.space import Reader, View
from pnyx.storage.memory import MemorySpace
from pnyx.storage.rocks import RocksSpace

Rows: TypeAlias = list[tuple[bytes, bytes]]
keys = st.text("ab\x00\xff", max_size=3).map(lambda text: text.encode("latin-1"))
values = st.none() | st.binary(max_size=4)
ranges = st.tuples(keys, keys)


def rows(reader: Reader, start: bytes = b"", stop: bytes = b"\xff\xff\xff\xff") -> Rows:
    return list(reader.scan(start, stop))


def copy(live: Path, to: Path) -> None:
    """Copy a database in use: again if it just deleted a file that it had no more use for."""
    for _ in range(100):
        with suppress(shutil.Error):
            shutil.copytree(live, to)
            return
        shutil.rmtree(to)
    raise AssertionError("RocksDB deletes files for ever")


def open_rocks(path: Path) -> RocksSpace:
    space = RocksSpace(path)
    # A compaction under way would add files between the copy's first and last.
    space._database.set_options({"disable_auto_compactions": "true"})
    return space


class BothSpaces(RuleBasedStateMachine):
    """Every step is taken on both, and every answer compared."""

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.crashes = 0
        self.rocks = open_rocks(self.folder / "0")
        self.memory = MemorySpace()
        self.views: list[tuple[View, View, Rows]] = []

    @rule(written=st.dictionaries(keys, values, max_size=5), drops=st.lists(ranges, max_size=2))
    def write(
        self, written: dict[bytes, bytes | None], drops: Sequence[tuple[bytes, bytes]]
    ) -> None:
        for space in (self.rocks, self.memory):
            space.write(written, drops)

    @rule(key=keys)
    def get(self, key: bytes) -> None:
        assert self.rocks.get(key) == self.memory.get(key)

    @rule(between=ranges)
    def scan(self, between: tuple[bytes, bytes]) -> None:
        assert rows(self.rocks, *between) == rows(self.memory, *between)

    @rule(written=st.dictionaries(keys, values, max_size=3), between=ranges)
    def write_during_a_scan(
        self, written: dict[bytes, bytes | None], between: tuple[bytes, bytes]
    ) -> None:
        before = rows(self.memory, *between)
        scans = [space.scan(*between) for space in (self.rocks, self.memory)]
        begun = [next(scan, None) for scan in scans]
        self.write(written, [(b"", b"b")])
        for first, scan in zip(begun, scans, strict=True):
            assert ([first] if first else []) + list(scan) == before

    @rule()
    def view(self) -> None:
        if len(self.views) < 3:
            self.views.append((self.rocks.view(), self.memory.view(), rows(self.memory)))

    @rule(key=keys)
    def read_views(self, key: bytes) -> None:
        for rocks, memory, held in self.views:
            assert rocks.get(key) == memory.get(key) == dict(held).get(key)

    @rule()
    def close_views(self) -> None:
        for rocks, memory, _ in self.views:
            rocks.close()
            memory.close()
        self.views.clear()

    @rule()
    def flush(self) -> None:
        self.rocks.flush()
        self.memory.flush()

    @rule()
    def crash(self) -> None:
        """A copy of the files is what the kernel has when the process dies."""
        self.close_views()
        self.crashes += 1
        copied = self.folder / str(self.crashes)
        copy(self.folder / str(self.crashes - 1), copied)
        self.rocks.close()
        self.rocks = open_rocks(copied)
        self.memory = self.memory.crash()

    @rule()
    def close_and_open(self) -> None:
        self.close_views()
        self.rocks.close()
        self.memory.close()
        self.rocks = open_rocks(self.folder / str(self.crashes))
        self.memory = self.memory.crash()

    @invariant()
    def the_same_rows(self) -> None:
        assert rows(self.rocks) == rows(self.memory)
        for rocks, memory, held in self.views:
            assert rows(rocks) == rows(memory) == held

    def teardown(self) -> None:
        if hasattr(self, "rocks"):
            self.close_views()
            self.rocks.close()
            shutil.rmtree(self.folder)


TestBothSpaces = BothSpaces.TestCase
TestBothSpaces.settings = settings(max_examples=20, stateful_step_count=25)
