"""What becomes of files while they move to another directory, and of what comes meanwhile."""

from typing import Any

import pytest

from pnyx.client import commands
from pnyx.client.blocking import Pnyx
from pnyx.client.errors import Unavailable
from pnyx.client.files.errors import ChunkMissing, MoveUnfinished
from pnyx.client.files.filesystem import PnyxFileSystem
from pnyx.client.files.formats import CHUNK_BYTES
from pnyx.client.files.fsck import Check
from pnyx.client.files.names import CHUNK_PREFIX, chunk_key
from pnyx.client.files.quota import Quota

pytestmark = pytest.mark.real
OLD, NEW = b"old" * CHUNK_BYTES, b"new" * (CHUNK_BYTES + 7)


def test_what_is_written_into_a_directory_while_it_is_moved_stays_where_it_came(
    files: PnyxFileSystem, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.pipe({f"{place}/d/{name}": OLD for name in ("a", "b", "sub/c")})
    copy = files._copy_file

    def interrupted(source: str, *told: Any, **options: Any) -> None:
        copy(source, *told, **options)
        files.pipe({source: NEW, f"{place}/d/late/new": NEW})

    with monkeypatch.context() as patch:
        patch.setattr(files, "_copy_file", interrupted)
        files.mv(f"{place}/d", f"{place}/e", recursive=True)
    assert {files.cat_file(f"{place}/e/{name}") for name in ("a", "b", "sub/c")} == {OLD}
    assert {files.cat_file(f"{place}/d/{name}") for name in ("a", "b", "sub/c")} == {NEW}
    assert files.cat_file(f"{place}/d/late/new") == NEW


def test_a_directory_that_is_removed_while_it_is_moved_is_gone_and_no_error(
    files: PnyxFileSystem, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.pipe({f"{place}/d/{name}": OLD for name in ("a", "b/c")})
    copy = files._copy_file

    def interrupted(*told: Any, **options: Any) -> None:
        copy(*told, **options)
        files.rm(f"{place}/d", recursive=True)

    with monkeypatch.context() as patch:
        patch.setattr(files, "_copy_file", interrupted)
        files.mv(f"{place}/d", f"{place}/e", recursive=True)
    assert files.find(place) == [f"{place}/e/a"]
    assert not files.exists(f"{place}/d")


def test_a_directory_moves_although_there_is_no_room_for_all_of_it_twice(
    files: PnyxFileSystem, place: str
) -> None:
    files.pipe({f"{place}/d/{name}": OLD for name in "abcd"})
    try:
        files.store.quotas.set(Quota(bytes_max=files.store.quotas.usage().bytes + len(OLD)))
        files.mv(f"{place}/d", f"{place}/e", recursive=True)
    finally:
        files.store.quotas.set(Quota())
    assert files.find(place) == [f"{place}/e/{name}" for name in "abcd"]


def test_what_a_pattern_finds_keeps_its_names_in_a_directory_that_is_not_there_yet(
    files: PnyxFileSystem, place: str
) -> None:
    files.pipe({f"{place}/{name}": OLD for name in ("m1/x", "m2/y", "m3")})
    files.mv(f"{place}/m*", f"{place}/new", recursive=True)
    assert files.find(place) == [f"{place}/new/{name}" for name in ("m1/x", "m2/y", "m3")]


def test_a_move_whose_source_cannot_be_removed_says_that_both_names_are_there(
    files: PnyxFileSystem, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = f"{place}/in/file", f"{place}/out/file"
    files.pipe_file(source, OLD)

    def fail(*_told: Any, **_options: Any) -> None:
        raise Unavailable("no node answered; nothing was done")

    with monkeypatch.context() as patch:
        patch.setattr(files.store, "remove", fail)
        with pytest.raises(MoveUnfinished, match=f"{target} is written, and {source} may be"):
            files.mv(source, target)
    assert files.find(place) == [source, target]
    files.mv(source, target)
    assert files.find(place) == [target]


@pytest.mark.parametrize(("source", "target"), [("a/file", "z/file"), ("z/file", "a/file")])
def test_a_move_that_fsck_finishes_leaves_counted_what_is_there(
    files: PnyxFileSystem, place: str, source: str, target: str
) -> None:
    files.pipe_file(f"{place}/{source}", OLD)
    Check(files.runner).run(repair=True)
    before = files.store.quotas.usage()
    manifest = files.store.file(f"{place}/{source}")
    files._copy_file(f"{place}/{source}", f"{place}/{target}", manifest, is_move=True)
    found = Check(files.runner).run(repair=True)
    assert len(found.unfinished) == 1
    assert (found.usage, found.files, found.bytes) == (None, before.files, before.bytes)
    assert files.store.quotas.usage() == before


def test_fsck_does_not_finish_a_move_whose_copy_is_damaged(
    files: PnyxFileSystem, place: str
) -> None:
    source, target = f"{place}/in/file", f"{place}/out/file"
    files.pipe_file(source, OLD)
    files._copy_file(source, target, files.store.file(source), is_move=True)
    files.runner.one(commands.delete(chunk_key(files.store.file(target).id, 1)))
    assert len(Check(files.runner).run(repair=True).damaged) == 1
    assert files.cat_file(source) == OLD


def test_a_copy_of_a_damaged_file_leaves_nothing(files: PnyxFileSystem, place: str) -> None:
    path = f"{place}/file"
    files.pipe_file(path, OLD * 4)
    files.runner.one(commands.delete(chunk_key(files.store.file(path).id, 9)))
    before = chunks_of_all(files)
    with pytest.raises(ChunkMissing):
        files.copy(path, f"{place}/copy")
    assert files.find(place) == [path]
    assert chunks_of_all(files) <= before


def chunks_of_all(files: PnyxFileSystem) -> set[bytes]:
    return set(Pnyx(files.runner).scan_iter(CHUNK_PREFIX + b"*"))
