"""What an open file is to those who look closely: pickled, cached by fsspec, replaced meanwhile."""

import gc
import pickle
from pathlib import Path

import fsspec
import pandas as pd  # type: ignore[import-untyped]
import pytest

from pnyx.client.files.filesystem import PnyxFileSystem
from pnyx.client.files.formats import CHUNK_BYTES

pytestmark = pytest.mark.real
OLD, NEW = b"old" * CHUNK_BYTES, b"new" * (CHUNK_BYTES + 7)


def test_an_open_file_goes_on_where_it_was_in_another_process(
    files: PnyxFileSystem, place: str
) -> None:
    files.pipe_file(f"{place}/file", OLD)
    with files.open(f"{place}/file", "rb") as file:
        file.seek(CHUNK_BYTES)
        with pickle.loads(pickle.dumps(file)) as again:
            assert again.tell() == CHUNK_BYTES
            assert again.read() == OLD[CHUNK_BYTES:]
            again.fs.close()


# fsspec's "blockcache" leaves a file of its own open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("cache", ["simplecache", "filecache", "blockcache"])
def test_fsspecs_caches_read_the_whole_file(
    files: PnyxFileSystem, place: str, tmp_path: Path, cache: str
) -> None:
    files.pipe_file(f"{place}/file", NEW)
    url = f"{cache}::pnyx://{files.nodes}{place}/file"
    for _ in range(2):
        with fsspec.open(url, "rb", **{cache: {"cache_storage": str(tmp_path)}}) as file:
            assert file.read(5) == NEW[:5]
            file.seek(0)
            assert file.read() == NEW
        del file
        # Here, and not in a test that has nothing to do with it.
        gc.collect()


def test_an_open_file_describes_itself_and_not_what_replaced_it(
    files: PnyxFileSystem, place: str
) -> None:
    path = f"{place}/file"
    files.pipe_file(path, OLD)
    with files.open(path, "rb") as old:
        files.pipe_file(path, NEW)
        with files.open(path, "rb") as new:
            assert old != new
            assert (old.info()["size"], new.info()["size"]) == (len(OLD), len(NEW))
        files.rm(path)
        assert old.info()["id"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("by", ["ours", "fsspec's", "pandas"])
def test_text_has_the_mark_of_its_encoding_once_at_its_beginning(
    files: PnyxFileSystem, place: str, encoding: str, by: str
) -> None:
    url = f"pnyx://{files.nodes}{place}/file"
    for mode in ("w", "a"):
        if by == "pandas":
            pd.DataFrame({"Σ": [1]}).to_csv(url, mode=mode, encoding=encoding, index=False)
            continue
        opened = files.open if by == "ours" else fsspec.open
        with opened(url, mode, encoding=encoding) as file:
            file.write("Σ\n1\n")
    with files.open(f"{place}/file", "r", encoding=encoding) as file:
        assert file.read() == "Σ\n1\nΣ\n1\n"
