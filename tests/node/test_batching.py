"""Is a batch announced only when it is durable, by the kernel's sync and by a thread alike?"""

import asyncio
import contextlib
from collections.abc import Callable
from errno import ENOSPC
from pathlib import Path

import pytest

from pnyx.consensus.formation import Formed
from pnyx.consensus.ready import Entry, EntryKind, HardState, Write
from pnyx.ids import GroupId, Index, NodeId, Term
from pnyx.node import batching
from pnyx.node.batching import Batcher
from pnyx.storage.directory import DiskFiles
from pnyx.storage.files import Zeros
from pnyx.storage.kernelwrite import KernelWrite
from pnyx.storage.owner import Identity
from pnyx.storage.recovery import recover
from pnyx.storage.wal import WRITE_BYTES_MAX, GroupWrite, Wal, WalSettings

IDENTITY = Identity("c", "n1", NodeId(1))


def write(number: int, size: int) -> GroupWrite:
    entry = Entry(Index(number), Term(1), EntryKind.COMMANDS, b"x" * size)
    return GroupWrite(GroupId(1), Write(number, HardState(Term(1), None), (entry,)))


async def written(path: Path, sizes: list[int], *, has_kernel: bool) -> list[int]:
    """Write entries of these sizes, each when the one before is durable; return their numbers."""
    wal, _ = Wal.open(DiskFiles(path), IDENTITY, WalSettings(), {}, lambda: 7)
    loop = asyncio.get_running_loop()
    ended: list[int] = []
    done = loop.create_future()

    def on_written(writes: list[GroupWrite], _formed: Formed | None, _seconds: float) -> None:
        ended.extend(one.write.write_id for one in writes)
        if len(ended) == len(sizes):
            done.set_result(None)
            return
        batcher.add(write(len(ended) + 1, sizes[len(ended)]))
        batcher.start()

    kernel = KernelWrite.open(DiskFiles(path), WRITE_BYTES_MAX) if has_kernel else None
    assert kernel is not None or not has_kernel
    batcher = Batcher(wal, loop, kernel, written=on_written, failed=done.set_exception)
    batcher.add(write(1, sizes[0]))
    batcher.start()
    await asyncio.wait_for(done, 20)
    await batcher.stop()
    wal.close()
    return ended


@pytest.mark.parametrize("has_kernel", [True, False])
def test_small_and_large_batches_are_written_in_order(tmp_path: Path, has_kernel: bool) -> None:
    sizes = [100, 300_000, 100, 3_000_000, 50, 2_000_000, 10]
    assert asyncio.run(written(tmp_path, sizes, has_kernel=has_kernel)) == [1, 2, 3, 4, 5, 6, 7]
    found = recover(DiskFiles(tmp_path), "c", NodeId(1), {}).recovered.groups[GroupId(1)]
    assert [len(entry.payload) for entry in found.entries] == sizes


class FullFiles(DiskFiles):
    """Have no room for another segment until `room` says so."""

    def __init__(self, path: Path, room: Callable[[], bool]) -> None:
        super().__init__(path)
        self._room = room

    def create(self, name: str, size: int, zeros: Zeros = Zeros.AT_ONCE) -> None:
        if not self._room():
            raise OSError(ENOSPC, "full")
        super().create(name, size, zeros)


async def waited(path: Path, tries_max: int) -> list[int]:
    """Write what needs a second segment, for which there is room after so many tries."""
    tries = 0

    def room() -> bool:
        nonlocal tries
        tries += 1
        return tries == 1 or tries > tries_max

    sizes = WalSettings(segment_bytes=65_536, first_segment_bytes=65_536)
    wal, _ = Wal.open(FullFiles(path, room), IDENTITY, sizes, {}, lambda: 7)
    loop = asyncio.get_running_loop()
    ended: asyncio.Queue[int] = asyncio.Queue()

    def on_written(writes: list[GroupWrite], _formed: Formed | None, _seconds: float) -> None:
        ended.put_nowait(writes[-1].write.write_id)

    batcher = Batcher(
        wal, loop, None, written=on_written, failed=lambda _error: ended.put_nowait(-1)
    )
    for number in (1, 2):
        batcher.add(write(number, 40_000))
        batcher.start()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.get(), 0.5)
    await asyncio.wait_for(batcher.stop(), 5)
    wal.close()
    log = recover(DiskFiles(path), "c", NodeId(1), {}).recovered.groups[GroupId(1)]
    return [entry.index for entry in log.entries]


@pytest.mark.parametrize(("tries_max", "kept"), [(4, [1, 2]), (1_000_000, [1])])
def test_a_batch_waits_for_room_and_holds_up_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tries_max: int, kept: list[int]
) -> None:
    monkeypatch.setattr(batching, "SPACE_CHECK_MS", 1)
    assert asyncio.run(waited(tmp_path, tries_max)) == kept
