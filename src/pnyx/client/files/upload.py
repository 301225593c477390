"""A file's chunks on their way to the cluster, so many at once and never all of it in memory."""

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Final

from pnyx.client.files.chunks import Chunks

UNDER_WAY_MAX: Final = 8
"""Chunks that are sent and not answered: an entry of the log takes 1 MiB, and while four become
durable the next four arrive."""


class Upload:
    """What one writer sends. A chunk is as much as a connection takes before it has its answer."""

    def __init__(self, chunks: Chunks, file_id: bytes) -> None:
        self._chunks = chunks
        self._file_id = file_id
        self._first: bytes | memoryview | None = None
        """Held back: most files are one chunk, and need no thread."""
        self._threads: ThreadPoolExecutor | None = None
        self._under_way: set[Future[None]] = set()
        self._count = 0
        """Chunks that were given to a thread."""

    def put(self, content: bytes | memoryview) -> None:
        """Take the next chunk, whose bytes must not change until `finish`.

        Raises:
            PnyxError: of a chunk that was taken before and could not be written.
        """
        if self._threads is None:
            if self._first is None:
                self._first = content
                return
            self._threads = ThreadPoolExecutor(UNDER_WAY_MAX, thread_name_prefix="pnyx-chunks")
            first, self._first = self._first, None
            self._start(self._threads, first)
        self._until_at_most(UNDER_WAY_MAX - 1)
        self._start(self._threads, content)

    def finish(self) -> None:
        """Return when every chunk is durable.

        Raises:
            PnyxError: of one that could not be written; none is under way any more.
        """
        first, self._first = self._first, None
        if first is not None:
            self._chunks.write(self._file_id, 0, first)
        threads, self._threads = self._threads, None
        if threads is not None:
            # Leaving it waits for those that are under way, whatever became of the others.
            with threads:
                self._until_at_most(0)

    def _start(self, threads: ThreadPoolExecutor, content: bytes | memoryview) -> None:
        sent = threads.submit(self._chunks.write, self._file_id, self._count, content)
        self._under_way.add(sent)
        self._count += 1

    def _until_at_most(self, count: int) -> None:
        while len(self._under_way) > count:
            done, self._under_way = wait(self._under_way, return_when=FIRST_COMPLETED)
            for each in done:
                each.result()
