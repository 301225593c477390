"""An open file: written chunk by chunk, and there when it is closed; or read piece by piece."""

from contextlib import suppress
from inspect import currentframe
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from fsspec.core import OpenFile
from fsspec.spec import AbstractBufferedFile

from pnyx.client.files.chunks import AT_ONCE
from pnyx.client.files.formats import CHUNK_BYTES, Manifest
from pnyx.client.files.quota import Quota
from pnyx.client.files.store import Permit, Store
from pnyx.client.files.upload import Upload
from pnyx.errors import PnyxError

if TYPE_CHECKING:
    from pnyx.client.files.filesystem import PnyxFileSystem

BLOCK_BYTES: Final = AT_ONCE * CHUNK_BYTES
"""What is collected before it is sent, and what is fetched together: 2 MiB."""


class PnyxFile(AbstractBufferedFile):
    """A file of the cluster, in fsspec's terms. Use `with`: what fails half-way leaves no trace."""

    def __init__(
        self,
        fs: "PnyxFileSystem",
        store: Store,
        path: str,
        mode: str,
        manifest: Manifest | None,
        **options: Any,
    ) -> None:
        """Open the file that `manifest` describes for reading, or `path` for writing."""
        self._store = store
        self._manifest = manifest
        self._permit: Permit | None = None
        self._upload: Upload | None = None
        self._quota = Quota()
        self._failure: BaseException | None = None
        """Why this will never be a file."""
        self._written = 0
        self._rest = b""
        size = None if manifest is None else manifest.size
        options["block_size"] = BLOCK_BYTES
        super().__init__(fs, path, mode, size=size, **options)
        if "a" in mode and manifest is not None:
            self.loc = manifest.size

    # Writing.

    def seekable(self) -> bool:
        """Return whether `seek` works; before anything is written, whether `tell` does.

        Python's text layer asks once, before it writes. Where the answer is no it does not look
        whether it is at the beginning: UTF-16 had no mark of its byte order, and what was appended
        as utf-8-sig had one in its middle.
        """
        is_untouched = self.writable() and self.offset is None and self.buffer.tell() == 0
        return is_untouched or super().seekable()

    def write(self, data: Any) -> int:
        """Take in `data`; what is full leaves at once, so memory stays bounded."""
        view = memoryview(data).cast("B")
        for start in range(0, len(view), BLOCK_BYTES):
            super().write(view[start : start + BLOCK_BYTES])
        if not len(view):
            super().write(view)
        return len(view)

    def flush(self, force: bool = False) -> None:  # noqa: FBT001, FBT002 - fsspec's own
        """Send what is full; all of it, and then no more, with `force`.

        Raises:
            PnyxError: a part could not be written. Nothing of the file will be there; whoever goes
                on, and whoever closes it, is told again, as Python's own files do.
        """
        if self._failure is not None and self.writable():
            raise self._failure
        try:
            super().flush(force)
        except BaseException as error:
            if self.writable():
                self._failure = error
                self._give_up()
            raise

    def _upload_chunk(self, final: bool = False) -> bool:  # noqa: FBT001, FBT002 - fsspec's own
        if self._upload is None:
            # Not in `_initiate_upload`: fsspec takes a file whose begin failed for closed.
            self._begin()
        self._take(self.buffer.getvalue())
        if final:
            self._send([self._rest] if self._rest else [])
            self._rest = b""
            assert self._upload is not None, "something was begun"
            self._upload.finish()
            if self.autocommit:
                self._commit()
        return True

    def _begin(self) -> None:
        self._permit = self._store.begin(self.path)
        self._upload = Upload(self._store.chunks, self._permit.file_id)
        self._quota = self._store.quotas.get()
        if "a" in self.mode and self._manifest is not None:
            old = self._manifest
            for content in self._store.chunks.read(old.id, 0, old.chunk_count, self.path):
                self._take(bytes(content))

    def commit(self) -> None:
        """Make what was written the file, at the end of a transaction of fsspec's.

        One that is still open will be the file when it is closed; one that failed never will.
        """
        if not self.closed:
            self.autocommit = True
        elif self._permit is not None:
            self._commit()

    def _commit(self) -> None:
        permit, self._permit = self._permit, None
        assert permit is not None, "something was begun"
        appended_to = None
        if "a" in self.mode:
            appended_to = b"" if self._manifest is None else self._manifest.id
        self._store.commit(
            permit, self._written, exclusive="x" in self.mode, appended_to=appended_to
        )

    def discard(self) -> None:
        """Forget what was written, and write no more; the file is as it was."""
        self.closed = True
        self._give_up()

    def _give_up(self) -> None:
        permit, self._permit = self._permit, None
        if permit is None or self._upload is None:
            return
        with suppress(PnyxError):
            self._upload.finish()
        self._store.give_up(permit, self._written)

    def close(self) -> None:
        """Make what was written the file, unless it is closed because a block failed.

        Raises:
            PnyxError: it is not there, and what was there before still is; unless it is a `Timeout`
                whose `outcome` is "unknown".
        """
        if self.writable() and _ends_a_failed_block(self):
            self.discard()
        super().close()

    def forget(self) -> None:
        """Never be a file, unless it is one already: nobody has said that it is whole."""
        if not self.closed:
            self.closed, self._permit = True, None

    def __del__(self) -> None:
        self.forget()

    def _dealloc_warn(self, _above: object) -> None:
        # CPython tells what lies below a text file that nobody has closed, before it closes both.
        self.forget()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None and self.writable():
            self.discard()
        super().__exit__(kind, error, trace)

    def _take(self, content: bytes) -> None:
        content = self._rest + content if self._rest else content
        whole = len(content) - len(content) % CHUNK_BYTES
        view = memoryview(content)
        self._send([view[at : at + CHUNK_BYTES] for at in range(0, whole, CHUNK_BYTES)])
        self._rest = bytes(view[whole:])

    def _send(self, contents: list[bytes | memoryview]) -> None:
        assert self._upload is not None, "something was begun"
        size = self._written + sum(map(len, contents))
        self._store.quotas.check_size(size, self._quota, self.path)
        for content in contents:
            # Before it is tried: what may have been written is given up, too.
            self._written += len(content)
            self._upload.put(content)

    # Reading.

    def _fetch_range(self, start: int, end: int) -> bytes:
        manifest = self._manifest
        assert manifest is not None, "only what is there is read"
        first, last = start // CHUNK_BYTES, -(-min(end, manifest.size) // CHUNK_BYTES)
        contents = list(self._store.chunks.read(manifest.id, first, last, self.path))
        skipped = start - first * CHUNK_BYTES
        if contents:
            contents[0] = contents[0][skipped:]
        return b"".join(contents)[: end - start]


def _ends_a_failed_block(file: object) -> bool:
    """Is `file` closed at the end of a ``with fsspec.open(...)`` whose block failed?

    fsspec's OpenFile only closes what it has opened, and alone knows why. That an exception is
    handled says nothing: a file that is closed in an `except` block is meant to be there.
    """
    frame = currentframe()
    while frame is not None:
        if frame.f_code is OpenFile.__exit__.__code__:
            told = frame.f_locals
            if any(each is file for each in told["self"].fobjects):
                return any(isinstance(each, BaseException) for each in told.get("args", ()))
        frame = frame.f_back
    return False
