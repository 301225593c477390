"""A file's chunks: written before any manifest names them, never changed, and let go in the end."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any, Final

from pnyx.client import commands
from pnyx.client.command import Command
from pnyx.client.files.errors import ChunkMissing
from pnyx.client.files.formats import decode_chunk, encode_chunk
from pnyx.client.files.names import chunk_key
from pnyx.client.runner import Runner

AT_ONCE: Final = 8
"""Chunks that are fetched together: 2 MiB of memory."""
TOLD_AT_ONCE: Final = 16
"""Chunks that are counted, deleted or let go in one step. The words are few, but a node reads 4 MiB
for them, writes as much again to let them go, and does nothing else meanwhile. With 400 at once a
leader was silent for so long that it was replaced, and its successor was asked to do the same."""
GRACE_MS: Final = 600_000
"""Who still reads a file that was replaced or removed may go on for so long."""


class Chunks:
    """The chunks of all files of a cluster."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def write(self, file_id: bytes, number: int, content: bytes | memoryview) -> None:
        """Store a chunk; it is durable when this returns."""
        value = encode_chunk(file_id, number, content)
        self._runner.one(commands.set(chunk_key(file_id, number), value))

    def read(self, file_id: bytes, first: int, last: int, path: str) -> Iterator[memoryview]:
        """Yield the contents of chunks `first` to `last`, not included, in order.

        Raises:
            ChunkMissing: one is not there. ChunkDamaged, FormatNewer: one cannot be believed.
        """
        for start in range(first, last, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, last))
            calls = self._runner.run([commands.get(chunk_key(file_id, each)) for each in numbers])
            for number, call in zip(numbers, calls, strict=True):
                value = call.outcome()
                if value is None:
                    raise ChunkMissing(
                        f"chunk {number} of {path} is gone",
                        cause=f"the file was replaced or removed more than {GRACE_MS // 60_000} "
                        "minutes ago while it was being read, or it is damaged",
                        next_step="open it again; `pnyx fs fsck` tells which files are damaged",
                    )
                yield decode_chunk(value, file_id, number, path)

    def count(self, file_id: bytes, total: int) -> int:
        """Return how many of a file's chunks are there."""
        return sum(self._each(file_id, range(total), commands.exists))

    def delete(self, file_id: bytes, numbers: Iterable[int]) -> None:
        """Delete chunks at once. No manifest names them, and nobody reads them."""
        for _ in self._each(file_id, numbers, commands.delete):
            pass

    def let_go(self, file_id: bytes, total: int) -> None:
        """Let a file's chunks die, `GRACE_MS` from now. No manifest names them any more."""
        for _ in self._each(file_id, range(total), partial(commands.pexpire, time=GRACE_MS)):
            pass

    def _each(
        self, file_id: bytes, numbers: Iterable[int], build: Callable[[bytes], Command]
    ) -> Iterator[Any]:
        """Yield the results of one command a chunk, so many at a time."""
        left = iter(numbers)
        while piece := list(islice(left, TOLD_AT_ONCE)):
            queued = [build(chunk_key(file_id, number)) for number in piece]
            for call in self._runner.run(queued):
                yield call.outcome()
