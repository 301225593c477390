"""Is a batch announced only when it is durable, by the kernel's sync and by a thread alike?"""

import asyncio
from pathlib import Path

import pytest

from pnyx.consensus.formation import Formed
from pnyx.consensus.ready import Entry, EntryKind, HardState, Write
from pnyx.ids import GroupId, Index, NodeId, Term
from pnyx.node.batching import Batcher
from pnyx.storage.files import DiskFiles
from pnyx.storage.kernelsync import KernelSync
from pnyx.storage.owner import Identity
from pnyx.storage.recovery import recover
from pnyx.storage.wal import GroupWrite, Wal, WalSettings

IDENTITY = Identity("c", "n1", NodeId(1))


def write(number: int, size: int) -> GroupWrite:
    entry = Entry(Index(number), Term(1), EntryKind.COMMANDS, b"x" * size)
    return GroupWrite(GroupId(1), Write(number, HardState(Term(1), None), (entry,)))


async def written(path: Path, sizes: list[int]) -> list[int]:
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

    batcher = Batcher(wal, loop, written=on_written, failed=done.set_exception)
    batcher.add(write(1, sizes[0]))
    batcher.start()
    await asyncio.wait_for(done, 20)
    await batcher.stop()
    wal.close()
    return ended


@pytest.mark.parametrize("has_kernel", [True, False])
def test_small_and_large_batches_are_written_in_order(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    has_kernel: bool,
) -> None:
    if not has_kernel:
        monkeypatch.setattr(KernelSync, "open", classmethod(lambda _cls: None))
    sizes = [100, 300_000, 100, 3_000_000, 50, 2_000_000, 10]
    assert asyncio.run(written(tmp_path, sizes)) == [1, 2, 3, 4, 5, 6, 7]
    found = recover(DiskFiles(tmp_path), "c", NodeId(1), {}).recovered.groups[GroupId(1)]
    assert [len(entry.payload) for entry in found.entries] == sizes
