"""A file's chunks: written before any manifest names them, never changed, and let go in the end."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from pnyx.client import commands
from pnyx.client.files.errors import ChunkMissing
from pnyx.client.files.formats import decode_chunk, encode_chunk
from pnyx.client.files.names import chunk_key
from pnyx.client.runner import Runner

AT_ONCE: Final = 8
"""Chunks that are on their way together: 2 MiB of memory."""
WRITERS: Final = 4
"""Threads that write them: together they fill an entry of the log, which takes 1 MiB."""
GRACE_MS: Final = 600_000
"""Who still reads a file that was replaced or removed may go on for so long."""
LET_GO_AT_ONCE: Final = 500


class Chunks:
    """The chunks of all files of a cluster."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def write(self, file_id: bytes, first: int, contents: Sequence[bytes | memoryview]) -> None:
        """Store chunks from number `first` on; each is durable when this returns."""

        def write_one(place: int) -> None:
            number = first + place
            value = encode_chunk(file_id, number, contents[place])
            self._runner.one(commands.set(chunk_key(file_id, number), value))

        if len(contents) == 1:
            write_one(0)
        elif contents:
            # A chunk is as much as one connection sends before it waits for the answer.
            with ThreadPoolExecutor(WRITERS, thread_name_prefix="pnyx-chunks") as threads:
                list(threads.map(write_one, range(len(contents))))

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
        keys = [chunk_key(file_id, number) for number in range(total)]
        found = 0
        for start in range(0, total, LET_GO_AT_ONCE):
            piece = [commands.exists(key) for key in keys[start : start + LET_GO_AT_ONCE]]
            found += sum(call.outcome() for call in self._runner.run(piece))
        return found

    def let_go(self, file_id: bytes, total: int, *, after_ms: int = GRACE_MS) -> None:
        """Let a file's chunks die, `after_ms` from now; 0: at once. No manifest names them."""
        for start in range(0, total, LET_GO_AT_ONCE):
            keys = [
                chunk_key(file_id, number)
                for number in range(start, min(start + LET_GO_AT_ONCE, total))
            ]
            if after_ms:
                queued = [commands.pexpire(key, after_ms) for key in keys]
            else:
                queued = [commands.delete(key) for key in keys]
            for call in self._runner.run(queued):
                call.outcome()
