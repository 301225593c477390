"""Does the kernel sync, announce it, and say what went wrong?"""

import os
import select
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from pnyx.storage.kernelsync import KernelSync


@pytest.fixture
def kernel() -> Iterator[KernelSync]:
    opened = KernelSync.open()
    if opened is None:
        pytest.skip("this kernel or container has no asynchronous I/O")
    yield opened
    opened.close()


def test_a_sync_is_announced_and_ends_without_an_error(kernel: KernelSync, tmp_path: Path) -> None:
    file = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    for number in range(100):
        os.pwrite(file, b"x" * 4096, 4096 * number)
        kernel.start(file)
        assert select.select([kernel.announcement], [], [], 10)[0], "nothing was announced"
        kernel.finish()
    os.close(file)


def test_a_file_that_cannot_be_synced_is_an_error(kernel: KernelSync) -> None:
    reader, writer = os.pipe()
    with pytest.raises(OSError, match="Invalid argument"):
        kernel.start(writer)
    os.close(reader)
    os.close(writer)
    with pytest.raises(OSError, match="Bad file descriptor"):
        kernel.start(writer)


def test_a_failed_sync_is_raised_when_it_is_taken(
    kernel: KernelSync, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    kernel.start(file)
    assert select.select([kernel.announcement], [], [], 10)[0]
    real = KernelSync.finish.__globals__["_call"]

    def failing(number: int, *arguments: object) -> int:
        taken: int = real(number, *arguments)
        # What the kernel would have put there: struct io_event, `res` at offset 16.
        struct.pack_into("<q", kernel._event, 16, -5)
        return taken

    monkeypatch.setitem(KernelSync.finish.__globals__, "_call", failing)
    with pytest.raises(OSError, match="Input/output error"):
        kernel.finish()
    monkeypatch.undo()
    os.close(file)
