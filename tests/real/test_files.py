"""What files on three real nodes promise: whole or not at all, whoever dies and whatever moves."""

import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from errno import EINVAL
from itertools import count
from pathlib import Path
from queue import Queue
from typing import Any

import pandas as pd  # type: ignore[import-untyped]
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pnyx.client import commands
from pnyx.client.blocking import Pnyx
from pnyx.client.command import Command
from pnyx.client.errand import Call
from pnyx.client.files import orphans
from pnyx.client.files.directory import CLOSED_MS
from pnyx.client.files.errors import CommitTooLate, FormatNewer, QuotaExceeded
from pnyx.client.files.filesystem import PnyxFileSystem
from pnyx.client.files.formats import CHUNK_BYTES
from pnyx.client.files.fsck import Check
from pnyx.client.files.names import chunk_key, closed_key, directory_tag, entry_key, permit_key
from pnyx.client.files.quota import Quota, Usage
from pnyx.client.files.store import Store
from pnyx.client.files.stream import BLOCK_BYTES
from pnyx.client.runner import Runner

pytestmark = pytest.mark.real
WAIT_S = 30.0
OLD, NEW = b"old" * CHUNK_BYTES, b"new" * (CHUNK_BYTES + 7)


class Died(BaseException):
    """The process is gone, as far as the cluster can tell."""


class Dying(Runner):
    """Carries out so many requests, and then nothing any more."""

    left = 0

    def run(self, queued: Sequence[Command]) -> list[Call]:
        if not self.left:
            raise Died
        self.left -= 1
        return super().run(queued)


def dying(files: PnyxFileSystem, left: int) -> PnyxFileSystem:
    mortal = PnyxFileSystem(files.nodes, skip_instance_cache=True)
    mortal.close()
    mortal.runner = Dying.of(mortal.runner.settings)
    mortal.runner.left = left
    mortal.store = Store(mortal.runner)
    return mortal


def at_each_step(
    files: PnyxFileSystem, act: Callable[[PnyxFileSystem], None], seen: Callable[[], None]
) -> int:
    """Let `act` die after 0, 1, 2... requests, and look each time; return how many steps it has."""
    for left in count():
        mortal = dying(files, left)
        try:
            act(mortal)
        except Died:
            seen()
        else:
            return left
        finally:
            mortal.runner.courier.close()
    raise AssertionError


def test_a_writer_that_dies_at_any_step_leaves_the_old_file_or_the_new_one(
    files: PnyxFileSystem, place: str
) -> None:
    path = f"{place}/file"
    found: list[bytes] = []

    def write(mortal: PnyxFileSystem) -> None:
        files.pipe_file(path, OLD)
        file = mortal.open(path, "wb")
        file.write(NEW)
        file.close()

    steps = at_each_step(files, write, lambda: found.append(files.cat_file(path)))
    assert steps > 5
    assert set(found) == {OLD, NEW}
    assert files.cat_file(path) == NEW


def test_a_move_that_dies_at_any_step_loses_nothing_and_is_finished_by_fsck(
    files: PnyxFileSystem, place: str
) -> None:
    source, target = f"{place}/one/file", f"{place}/other/file"
    left: list[tuple[bool, bool]] = []

    def move(mortal: PnyxFileSystem) -> None:
        with suppress(FileNotFoundError):
            files.rm(target)
        files.pipe_file(source, OLD)
        mortal.mv(source, target)

    def look() -> None:
        there = (files.exists(source), files.exists(target))
        left.append(there)
        assert files.cat_file(target if there[1] else source) == OLD
        Check(files.runner).run(repair=True)
        assert files.exists(source) != files.exists(target)

    at_each_step(files, move, look)
    assert (True, True) in left, "both names are there at some step"


def test_a_move_whose_target_is_taken_or_replaced_at_once_is_done(
    files: PnyxFileSystem, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = f"{place}/in/file", f"{place}/out/file"
    settle = files.store.settle_move

    def put_directory() -> None:
        files.rm_file(target)
        files.makedirs(target)

    for take in (
        lambda: files.rm_file(target),
        lambda: files.pipe_file(target, NEW),
        put_directory,
    ):
        monkeypatch.setattr(
            files.store, "settle_move", lambda *told, take=take: (take(), settle(*told))
        )
        files.pipe_file(source, OLD)
        files.mv(source, target)
        assert not files.exists(source)
        left = files.cat_file(target) if files.isfile(target) else NEW
        assert left == NEW, "what others left is theirs"


def test_a_move_is_finished_by_fsck_although_both_names_are_taken_meanwhile(
    files: PnyxFileSystem, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = f"{place}/in/file", f"{place}/out/file"
    files.pipe_file(source, OLD)
    files._copy_file(source, target, files.store.file(source), is_move=True)
    check = Check(files.runner)
    finish = check._store.finish_move

    def finish_late(*told: Any) -> None:
        files.rm_file(source)
        files.rm_file(target)
        finish(*told)

    monkeypatch.setattr(check._store, "finish_move", finish_late)
    assert len(check.run(repair=True).unfinished) == 1
    assert files.find(place) == []


def test_who_reads_a_file_that_is_replaced_reads_the_old_one_to_its_end(
    files: PnyxFileSystem, place: str
) -> None:
    path = f"{place}/file"
    files.pipe_file(path, OLD)
    with files.open(path, "rb", cache_type="none") as reader:
        first = reader.read(10)
        files.pipe_file(path, NEW)
        assert first + reader.read() == OLD
    assert files.cat_file(path) == NEW


def test_a_commit_that_comes_too_late_changes_nothing(files: PnyxFileSystem, place: str) -> None:
    path = f"{place}/file"
    files.pipe_file(path, OLD)
    permit = files.store.begin(path)
    files.store.chunks.write(permit.file_id, 0, b"late")
    # What thirty minutes do.
    files.runner.one(Command(("DEL", permit_key(place, permit.file_id)), place, writes=False))
    with pytest.raises(CommitTooLate):
        files.store.commit(permit, 4)
    assert files.cat_file(path) == OLD


def test_a_file_is_found_although_its_directory_was_removed_while_it_was_written(
    files: PnyxFileSystem, place: str
) -> None:
    directory = f"{place}/a/b"
    file = files.open(f"{directory}/file", "wb")
    file.write(OLD * 6)
    assert files.isdir(directory), "more than a block is on its way"
    files.rm(f"{place}/a", recursive=True)
    file.close()
    assert files.find(place) == [f"{directory}/file"]


class Stepping(Runner):
    """Stands before each write until it is told to go on."""

    def ready(self) -> None:
        self.stands: Queue[bool] = Queue()
        self.goes: Queue[None] = Queue()

    def run(self, queued: Sequence[Command]) -> list[Call]:
        if any(command.writes for command in queued):
            self.stands.put(True)
            self.goes.get(timeout=WAIT_S)
        return super().run(queued)


class Steps:
    """Something another client does, one write after another."""

    def __init__(self, files: PnyxFileSystem, act: Callable[[PnyxFileSystem], None]) -> None:
        self._theirs = PnyxFileSystem(files.nodes, skip_instance_cache=True)
        self._theirs.close()
        self._runner = Stepping.of(self._theirs.runner.settings)
        self._runner.ready()
        self._theirs.store = Store(self._runner)
        self._thread = ThreadPoolExecutor(1)
        self._outcome = self._thread.submit(act, self._theirs)
        self._outcome.add_done_callback(lambda _outcome: self._runner.stands.put(False))
        self._stands = self._runner.stands.get(timeout=WAIT_S)

    def step(self) -> None:
        """Return when the write is done and it stands before the next, or has ended."""
        self._runner.goes.put(None)
        self._stands = self._runner.stands.get(timeout=WAIT_S)

    def end(self) -> None:
        """Let it go on to its end, and raise its error."""
        while self._stands:
            self.step()
        self._thread.shutdown()
        self._runner.courier.close()
        self._outcome.result()


def test_a_file_is_found_although_two_removed_its_directory_and_one_of_them_gave_up(
    files: PnyxFileSystem, place: str
) -> None:
    directory = f"{place}/a"
    files.makedirs(directory)
    first = Steps(files, lambda theirs: theirs.rmdir(directory))
    files.pipe_file(f"{directory}/old", OLD)
    # It leaves its mark, and finds the old file.
    first.step()
    files.rm_file(f"{directory}/old")
    second = Steps(files, lambda theirs: theirs.rmdir(directory))
    # It leaves its mark, and finds nothing.
    second.step()
    with pytest.raises(OSError, match="not empty"):
        first.end()
    files.pipe_file(f"{directory}/new", NEW)
    with pytest.raises(OSError, match="not empty"):
        second.end()
    assert files.find(place) == [f"{directory}/new"]


def test_a_file_is_found_although_its_directory_was_made_and_removed_at_once(
    files: PnyxFileSystem, place: str
) -> None:
    directory = f"{place}/a"
    files.makedirs(directory)
    files.runner.one(commands.set(closed_key(directory), b"of a removal that died"))
    maker = Steps(files, lambda theirs: theirs.makedirs(directory, exist_ok=True))
    # The entry is written, and the mark that was there will be taken away.
    maker.step()
    removal = Steps(files, lambda theirs: theirs.rmdir(directory))
    removal.step()
    maker.end()
    files.pipe_file(f"{directory}/new", NEW)
    with pytest.raises(OSError, match="not empty"):
        removal.end()
    assert files.find(place) == [f"{directory}/new"]


@pytest.mark.parametrize(("act", "steps"), [("touch", 0), ("makedirs", 0), ("makedirs", 1)])
def test_what_comes_is_found_although_its_directory_went_an_hour_ago(
    files: PnyxFileSystem, place: str, act: str, steps: int
) -> None:
    directory = f"{place}/a"
    files.makedirs(directory)
    coming = Steps(files, lambda theirs: getattr(theirs, act)(f"{directory}/new"))
    for _ in range(steps):
        coming.step()
    files.rmdir(directory)
    # What an hour does.
    for key in list(Pnyx(files.runner).scan_iter(directory_tag(directory) + b"*")):
        files.runner.one(commands.delete(key))
    coming.end()
    assert files.find(place, withdirs=True)[1:] == [directory, f"{directory}/new"]


def test_of_two_who_remove_a_directory_one_is_told_that_it_is_gone(
    files: PnyxFileSystem, place: str
) -> None:
    directory = f"{place}/a"
    files.makedirs(directory)
    first, second = (Steps(files, lambda theirs: theirs.rmdir(directory)) for _ in range(2))
    first.step()
    second.step()
    first.end()
    with pytest.raises(FileNotFoundError):
        second.end()
    assert 0 < files.runner.one(commands.pttl(closed_key(directory))) <= CLOSED_MS
    files.pipe_file(f"{directory}/new", NEW)
    assert files.find(place) == [f"{directory}/new"]
    assert not files.runner.one(commands.exists(closed_key(directory)))


def test_what_nothing_names_goes_at_the_second_look_an_hour_later(
    files: PnyxFileSystem, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.pipe_file(f"{place}/file", OLD)
    permit = files.store.begin(f"{place}/dead")
    files.store.chunks.write(permit.file_id, 0, b"orphan")
    assert Check(files.runner).run(collect_orphans=True).collected == 0
    assert files.store.chunks.count(permit.file_id, 1) == 1
    monkeypatch.setattr(orphans, "APART_MS", 0)
    assert Check(files.runner).run(collect_orphans=True).collected >= 1
    assert files.store.chunks.count(permit.file_id, 1) == 0
    assert files.cat_file(f"{place}/file") == OLD


def test_more_than_the_quota_is_refused_and_nothing_is_taken(
    files: PnyxFileSystem, place: str
) -> None:
    quotas = files.store.quotas
    taken = quotas.usage()
    try:
        quotas.set(Quota(file_bytes_max=100, bytes_max=taken.bytes + 150))
        files.pipe_file(f"{place}/one", b"1" * 100)
        for name, size in (("large", 101), ("two", 100)):
            with pytest.raises(QuotaExceeded):
                files.pipe_file(f"{place}/{name}", b"2" * size)
        assert quotas.usage().bytes == taken.bytes + 100
    finally:
        quotas.set(Quota())
    assert files.ls(place, detail=False) == [f"{place}/one"]


def test_a_manifest_of_a_newer_version_and_a_missing_chunk_are_named(
    files: PnyxFileSystem, place: str
) -> None:
    path = f"{place}/file"
    files.pipe_file(path, OLD)
    manifest = files.store.file(path)
    key = chunk_key(manifest.id, 1)
    files.runner.one(Command(("DEL", key), key, writes=True))
    (sentence,) = Check(files.runner).run().damaged
    assert sentence == f"{path}: 1 of its 3 chunks are gone"
    files.rm(path)
    newer = entry_key(path)
    files.runner.one(Command(("SET", newer, b"\x09"), newer, writes=True))
    with pytest.raises(FormatNewer, match="format 9"):
        files.info(path)
    files.runner.one(Command(("DEL", newer), newer, writes=True))


def test_at_the_quota_a_file_may_be_replaced_by_one_that_is_no_larger(
    files: PnyxFileSystem, place: str
) -> None:
    path, quotas = f"{place}/file", files.store.quotas
    files.pipe_file(path, b"1" * 900)
    taken = quotas.usage()
    try:
        for room in (100, 0, -100):
            quotas.set(Quota(bytes_max=taken.bytes + room, files_max=taken.files + min(room, 0)))
            files.pipe_file(path, b"2" * 900)
            with pytest.raises(QuotaExceeded, match=f"would take {taken.bytes + 101} in"):
                files.pipe_file(path, b"3" * 1001)
        files.pipe_file(path, b"4" * 800)
    finally:
        quotas.set(Quota())
    assert quotas.usage() == Usage(taken.bytes - 100, taken.files)


def test_a_rename_within_a_directory_replaces_what_is_there(
    files: PnyxFileSystem, place: str
) -> None:
    files.pipe({f"{place}/a": OLD, f"{place}/b": NEW})
    files.mv(f"{place}/a", f"{place}/b")
    assert files.find(place) == [f"{place}/b"]
    assert files.cat_file(f"{place}/b") == OLD


def test_a_file_that_is_renamed_while_it_is_listed_is_listed_once(
    files: PnyxFileSystem, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.pipe_file(f"{place}/a", OLD)
    page, moves = files.store.directories._page, [("b", "a"), ("a", "b")]

    def renamed_after(*told: Any) -> Any:
        found = page(*told)
        if moves:
            source, target = moves.pop()
            files.mv(f"{place}/{source}", f"{place}/{target}")
        return found

    monkeypatch.setattr(files.store.directories, "_page", renamed_after)
    assert files.ls(place, detail=False) == [f"{place}/a"]
    moves += [("b", "a"), ("a", "b")]
    assert files.find(place) == [f"{place}/a"]


def test_a_directory_is_not_moved_into_itself_and_nothing_is_lost(
    files: PnyxFileSystem, place: str
) -> None:
    files.pipe({f"{place}/m/x": OLD, f"{place}/m/n/y": NEW})
    before = files.find(place)
    for target in ("m/n", "m/n/", "m/new", "m/n/deep/er"):
        for move in (files.mv, files.rename):
            with pytest.raises(OSError, match="not moved into itself") as caught:
                move(f"{place}/m", f"{place}/{target}", recursive=True)
            assert caught.value.errno == EINVAL
    with pytest.raises(OSError, match="not moved into itself"):
        files.mv(f"{place}/*", f"{place}/m/n", recursive=True)
    for absent in ("absent", "absent*"):
        with pytest.raises(FileNotFoundError):
            files.mv(f"{place}/{absent}", f"{place}/m")
    files.mv(f"{place}/m/n", f"{place}/m", recursive=True)
    assert files.find(place) == before


def test_a_directory_moves_whole_or_not_at_all(files: PnyxFileSystem, place: str) -> None:
    files.makedirs(f"{place}/empty")
    files.pipe({f"{place}/m/x": OLD, f"{place}/m/n/y": NEW})
    for name in ("empty", "m"):
        with pytest.raises(IsADirectoryError):
            files.mv(f"{place}/{name}", f"{place}/other")
    with pytest.raises(ValueError, match="maxdepth"):
        files.mv(f"{place}/m", f"{place}/other", recursive=True, maxdepth=1)
    files.mv(f"{place}/m", f"{place}/other", recursive=True)
    files.mv(f"{place}/other", f"{place}/empty", recursive=True)
    assert files.find(place) == [f"{place}/empty/other/n/y", f"{place}/empty/other/x"]


def test_a_copy_of_a_directory_into_itself_ends(files: PnyxFileSystem, place: str) -> None:
    files.pipe_file(f"{place}/m/x", OLD)
    files.copy(f"{place}/m", f"{place}/m/n", recursive=True)
    assert files.find(place) == [f"{place}/m/n/x", f"{place}/m/x"]


def test_a_path_that_is_there_means_that_one_and_no_pattern(
    files: PnyxFileSystem, place: str, tmp_path: Path
) -> None:
    names = ["a*", "ab", "[x]", "x", "d?/in", "d?/x/in", "dd/out"]
    files.pipe({f"{place}/{name}": name.encode() for name in names})
    assert files.cat(f"{place}/a*") == b"a*"
    files.copy(f"{place}/[x]", f"{place}/new/copy")
    files.copy(f"{place}/d?", f"{place}/new", recursive=True)
    files.get(f"{place}/[x]", str(tmp_path / "copy"))
    files.get(f"{place}/d?", str(tmp_path / "new"), recursive=True)
    assert (tmp_path / "copy").read_bytes() == files.cat_file(f"{place}/new/copy") == b"[x]"
    assert (tmp_path / "new/x/in").read_bytes() == b"d?/x/in"
    found = {path.removeprefix(f"{place}/new/") for path in files.find(f"{place}/new")}
    assert found == {"copy", "d?/in", "d?/x/in"}
    files.mv(f"{place}/d?", f"{place}/moved", recursive=True)
    files.rm([f"{place}/a*", f"{place}/[x]", f"{place}/new"], recursive=True)
    left = {path.removeprefix(f"{place}/") for path in files.find(place)}
    assert left == {"ab", "x", "dd/out", "moved/in", "moved/x/in"}
    files.rm(f"{place}/[ax]*")
    assert {path[-3:] for path in files.find(place)} == {"out", "/in"}


def test_pandas_and_pyarrow_read_what_they_wrote(files: PnyxFileSystem, place: str) -> None:
    cities = pd.DataFrame({"city": ["Athens", "Xi'an"], "people": [643_452, 12_952_907]})
    url = f"pnyx://{files.nodes}{place}"
    cities.to_csv(f"{url}/cities.csv", index=False)
    pd.testing.assert_frame_equal(pd.read_csv(f"{url}/cities.csv"), cities)
    table = pa.table({"number": list(range(100_000))})
    pq.write_table(table, f"{place}/numbers.parquet", filesystem=files)
    assert pq.read_table(f"{place}/numbers.parquet", filesystem=files).equals(table)


def test_memory_stays_bounded_whatever_the_file_is_large(files: PnyxFileSystem, place: str) -> None:
    source = io.BytesIO(b"x" * 9 * 1024 * 1024)
    with files.open(f"{place}/large", "wb") as file:
        while piece := source.read(1024 * 1024):
            file.write(piece)
            assert len(file.buffer.getbuffer()) <= BLOCK_BYTES + len(piece)
    assert files.size(f"{place}/large") == 9 * 1024 * 1024
