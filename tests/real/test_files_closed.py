"""What becomes of a file that is written: closed, failed, forgotten or refused; in every layer."""

import gc
from contextlib import suppress
from operator import attrgetter
from typing import Any

import pytest
from fsspec.core import OpenFile

from pnyx.client.blocking import Pnyx
from pnyx.client.collected import Transaction
from pnyx.client.errors import Timeout, Unavailable
from pnyx.client.files.errors import Overtaken
from pnyx.client.files.filesystem import PnyxFileSystem
from pnyx.client.files.formats import CHUNK_BYTES
from pnyx.client.files.fsck import Check
from pnyx.client.files.names import CHUNK_PREFIX, chunk_of

pytestmark = pytest.mark.real
OLD, NEW = b"old" * CHUNK_BYTES, b"new" * (CHUNK_BYTES + 7)


def test_a_writer_that_fails_leaves_no_trace(files: PnyxFileSystem, place: str) -> None:
    before = files.store.quotas.usage()
    with suppress(ZeroDivisionError), files.open(f"{place}/file", "wb") as file:
        file.write(OLD)
        raise ZeroDivisionError
    assert files.ls(place) == []
    assert files.store.quotas.usage() == before


@pytest.mark.parametrize("compression", [None, "gzip", "bz2", "xz"])
@pytest.mark.parametrize("mode", ["wb", "w", "x", "a"])
@pytest.mark.parametrize("by", ["ours", "fsspec's"])
def test_a_block_that_fails_leaves_the_old_file_however_it_was_opened(
    files: PnyxFileSystem, place: str, mode: str, compression: str | None, by: str
) -> None:
    path = f"{place}/file"
    if mode != "x":
        files.pipe_file(path, OLD)
    before = chunks_of_all(files)
    with suppress(ZeroDivisionError), opened(files, path, mode, compression, by) as file:
        file.write(NEW if "b" in mode else NEW.decode())
        raise ZeroDivisionError
    assert files.exists(path) == (mode != "x")
    assert mode == "x" or files.cat_file(path) == OLD
    assert chunks_of_all(files) <= before


def opened(files: PnyxFileSystem, path: str, mode: str, compression: str | None, by: str) -> Any:
    if by == "ours":
        return files.open(path, mode, compression=compression)
    return OpenFile(files, path, mode, compression)


@pytest.mark.parametrize("compression", [None, "gzip", "bz2", "xz", "zip"])
@pytest.mark.parametrize("by", ["ours", "fsspec's"])
def test_what_is_written_through_layers_is_read_through_them(
    files: PnyxFileSystem, place: str, compression: str | None, by: str
) -> None:
    path, text = f"{place}/file", "Σ\n" * 100_000
    with opened(files, path, "w", compression, by) as file:
        file.write(text)
    with opened(files, path, "r", compression, by) as file:
        assert file.read() == text


# Since Python 3.13 a forgotten layer of its own complains that the file below it is closed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("compression", [None, "gzip", "bz2"])
@pytest.mark.parametrize("by", ["ours", "fsspec's"])
def test_a_file_that_is_forgotten_is_not_there(
    files: PnyxFileSystem, place: str, compression: str | None, by: str
) -> None:
    for mode in ("w", "wb"):
        outer = opened(files, f"{place}/file", mode, compression, by)
        file = outer if by == "ours" else outer.open()
        file.write(NEW if "b" in mode else NEW.decode())
        del file, outer
        gc.collect()
    assert files.ls(place) == []


def test_a_file_that_is_closed_while_an_error_is_handled_is_there(
    files: PnyxFileSystem, place: str
) -> None:
    first, second = files.open(f"{place}/1", "w"), OpenFile(files, f"{place}/2", "w")
    try:
        second.open().write("2")
        _ = 1 / 0
    except ZeroDivisionError:
        first.write("1")
        first.close()
        second.close()
        with files.open(f"{place}/3", "w") as third, OpenFile(files, f"{place}/4", "wb") as fourth:
            third.write("3")
            fourth.write(b"4")
    assert {path[-1]: content for path, content in files.cat(f"{place}/*").items()} == {
        name: name.encode() for name in "1234"
    }


def failing_once(
    files: PnyxFileSystem, monkeypatch: pytest.MonkeyPatch, *, number: int = 3
) -> None:
    """Let one chunk fail, once."""
    write, left = files.store.chunks.write, [Unavailable("no node answered; nothing was done")]

    def flaky(file_id: bytes, at: int, content: bytes | memoryview) -> None:
        if at == number and left:
            raise left.pop()
        write(file_id, at, content)

    monkeypatch.setattr(files.store.chunks, "write", flaky)


def chunks_of_all(files: PnyxFileSystem) -> set[bytes]:
    return set(Pnyx(files.runner).scan_iter(CHUNK_PREFIX + b"*"))


@pytest.mark.parametrize("number", [0, 3, 38])
def test_a_file_that_failed_once_is_never_committed(
    files: PnyxFileSystem, place: str, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = f"{place}/file"
    files.pipe_file(path, OLD)
    before = chunks_of_all(files)
    failing_once(files, monkeypatch, number=number)
    file = files.open(path, "wb")
    with suppress(Unavailable):
        file.write(b"0123456789" * 1_000_000)
    with pytest.raises(Unavailable):
        file.close()
    assert files.cat_file(path) == OLD
    assert chunks_of_all(files) <= before, "what was written is given up"


def test_a_text_or_an_open_file_that_failed_once_is_never_committed(
    files: PnyxFileSystem, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, text = f"{place}/file", "0123456789" * 1_000_000
    files.pipe_file(path, OLD)
    for opened in (files.open(path, "w"), OpenFile(files, path, "w").open()):
        failing_once(files, monkeypatch)
        try:
            with pytest.raises(Unavailable):
                opened.write(text)
        finally:
            with pytest.raises(Unavailable):
                opened.close()
        assert files.cat_file(path) == OLD
    failing_once(files, monkeypatch)
    with pytest.raises(Unavailable), OpenFile(files, path, "wb") as file:
        file.write(text.encode())
    assert files.cat_file(path) == OLD


def test_appending_goes_on_where_the_file_ends(files: PnyxFileSystem, place: str) -> None:
    path = f"{place}/file"
    files.pipe_file(path, OLD)
    with files.open(path, "ab") as file:
        file.write(b"more")
    assert files.cat_file(path) == OLD + b"more"


def test_of_two_who_append_together_the_second_is_told_and_nothing_is_lost(
    files: PnyxFileSystem, place: str
) -> None:
    for path, there in ((f"{place}/old", OLD), (f"{place}/new", b"")):
        if there:
            files.pipe_file(path, there)
        with files.open(path, "ab") as first:
            assert first.tell() == len(there)
            second = files.open(path, "ab")
            first.write(b"A")
            second.write(b"B")
        before = chunks_of_all(files)
        with pytest.raises(Overtaken, match="nothing was appended"):
            second.close()
        assert files.cat_file(path) == there + b"A"
        assert chunks_of_all(files) <= before


def test_a_refused_commit_leaves_no_chunks_and_takes_nothing(
    files: PnyxFileSystem, place: str
) -> None:
    path = f"{place}/file"
    before = chunks_of_all(files)
    late = files.open(path, "xb")
    late.write(NEW * 4)
    files.pipe_file(path, OLD)
    taken = files.store.quotas.usage()
    with pytest.raises(FileExistsError):
        late.close()
    left = {chunk_of(key) for key in chunks_of_all(files) - before}
    assert left == {(files.store.file(path).id, number) for number in range(3)}
    assert files.store.quotas.usage() == taken


def test_a_commit_that_may_have_been_done_keeps_its_chunks(
    files: PnyxFileSystem, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{place}/file"

    def execute(plan: Transaction) -> list[object]:
        done.extend(execute_really(plan))
        raise Timeout("nobody answered", outcome="unknown")

    done: list[object] = []
    execute_really = Transaction.execute
    monkeypatch.setattr(Transaction, "execute", execute)
    with pytest.raises(Timeout), files.transaction:
        files.pipe_file(path, NEW)
    assert done
    assert files.cat_file(path) == NEW


@pytest.mark.parametrize("fails", ["quotas._add", "chunks.let_go", "settle_move"])
def test_what_was_done_is_told_so_although_tidying_up_after_it_fails(
    files: PnyxFileSystem, place: str, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    files.pipe({f"{place}/{name}": OLD for name in ("replaced", "gone", "a", "b", "c")})
    owner, _, name = f"store.{fails}".rpartition(".")
    really = attrgetter(f"store.{fails}")(files)

    def fail(*told: Any) -> Any:
        if fails == "quotas._add" and told[0] > 0:
            return really(*told)
        raise Unavailable("no node answered; nothing was done")

    with monkeypatch.context() as patch:
        patch.setattr(attrgetter(owner)(files), name, fail)
        files.pipe_file(f"{place}/replaced", NEW)
        files.rm_file(f"{place}/gone")
        files.mv(f"{place}/a", f"{place}/b")
        files.mv(f"{place}/c", f"{place}/other/c")
    assert [path[len(place) :] for path in files.find(place)] == ["/b", "/other/c", "/replaced"]
    assert files.cat_file(f"{place}/replaced") == NEW
    Check(files.runner).run(repair=True)
    assert files.store.quotas.usage().files == len(files.find("/"))


def test_a_transaction_leaves_out_what_failed_and_waits_for_what_is_open(
    files: PnyxFileSystem, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with files.transaction:
        with suppress(ZeroDivisionError), files.open(f"{place}/given-up", "wb") as file:
            file.write(NEW * 5)
            _ = 1 / 0
        failing_once(files, monkeypatch)
        with suppress(Unavailable), files.open(f"{place}/failed", "w") as file:
            file.write(NEW.decode() * 5)
        files.open(f"{place}/forgotten", "w").write("forgotten")
        late = files.open(f"{place}/late", "wb")
        late.write(NEW)
        files.pipe_file(f"{place}/whole", OLD)
        assert files.find(place) == []
    assert files.find(place) == [f"{place}/whole"]
    late.close()
    assert files.cat(f"{place}/*") == {f"{place}/late": NEW, f"{place}/whole": OLD}


def test_a_transaction_that_fails_leaves_nothing(files: PnyxFileSystem, place: str) -> None:
    with suppress(ZeroDivisionError), files.transaction:
        files.pipe_file(f"{place}/whole", OLD)
        late = files.open(f"{place}/late", "wb")
        late.write(NEW)
        _ = 1 / 0
    late.close()
    assert files.find(place) == []
