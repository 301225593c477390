"""Does the kernel write, announce it, and say what went wrong?"""

import select
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from pnyx.storage.directory import DiskFiles
from pnyx.storage.files import OpenFile
from pnyx.storage.kernelwrite import KernelWrite

BATCH_BYTES_MAX = 65_536


@pytest.fixture
def files(tmp_path: Path) -> DiskFiles:
    return DiskFiles(tmp_path / "log")


@pytest.fixture
def kernel(files: DiskFiles) -> Iterator[KernelWrite]:
    opened = KernelWrite.open(files, BATCH_BYTES_MAX)
    if opened is None:
        pytest.skip("this kernel, container or file system writes nothing past the page cache")
    yield opened
    opened.close()


@pytest.fixture
def file(files: DiskFiles) -> Iterator[OpenFile]:
    files.create("a", 1 << 20)
    opened = files.open("a")
    yield opened
    opened.close()


def ended(kernel: KernelWrite) -> None:
    assert select.select([kernel.announcement], [], [], 10)[0], "nothing was announced"
    kernel.finish()


def test_what_is_announced_is_in_the_file(
    kernel: KernelWrite, files: DiskFiles, file: OpenFile
) -> None:
    sizes = [4096, 8192, BATCH_BYTES_MAX, 4096] * 10
    for number, size in enumerate(sizes):
        content = bytes([number + 1]) * size
        offset = sum(sizes[:number]) % (1 << 19)
        kernel.start(file, offset, content)
        ended(kernel)
        assert files.read("a", offset, size) == content


def test_writes_through_the_page_cache_between_are_seen_and_kept(
    kernel: KernelWrite, files: DiskFiles, file: OpenFile
) -> None:
    for number in range(0, 20, 2):
        file.write(number * 4096, b"c" * 4096)
        file.sync()
        assert files.read("a", (number + 1) * 4096, 1) == b"\0"
        kernel.start(file, (number + 1) * 4096, b"d" * 4096)
        ended(kernel)
    assert files.read("a", 0, 20 * 4096) == (b"c" * 4096 + b"d" * 4096) * 10


def test_nothing_is_left_of_the_look_whether_it_works(
    kernel: KernelWrite, files: DiskFiles
) -> None:
    assert not select.select([kernel.announcement], [], [], 0)[0]
    assert files.names() == []


@pytest.mark.usefixtures("cached_only")
def test_files_that_have_no_descriptor_are_written_otherwise(files: DiskFiles) -> None:
    assert KernelWrite.open(files, BATCH_BYTES_MAX) is None
    assert files.names() == []


def test_a_file_that_is_closed_is_an_error(kernel: KernelWrite, files: DiskFiles) -> None:
    files.create("b", 8192)
    gone = files.open("b")
    gone.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        kernel.start(gone, 0, b"x" * 4096)


@pytest.mark.parametrize(
    ("result", "said"), [(-5, "Input/output error"), (4096, "4096 of 8192 bytes")]
)
def test_a_write_that_failed_or_stopped_short_is_raised_when_it_is_taken(
    kernel: KernelWrite,
    file: OpenFile,
    monkeypatch: pytest.MonkeyPatch,
    result: int,
    said: str,
) -> None:
    kernel.start(file, 0, b"x" * 8192)
    assert select.select([kernel.announcement], [], [], 10)[0]
    real = KernelWrite.finish.__globals__["_call"]

    def failing(number: int, *arguments: object) -> int:
        taken: int = real(number, *arguments)
        # What the kernel would have put there: struct io_event, `res` at offset 16.
        struct.pack_into("<q", kernel._event, 16, result)
        return taken

    monkeypatch.setitem(KernelWrite.finish.__globals__, "_call", failing)
    with pytest.raises(OSError, match=said):
        kernel.finish()
