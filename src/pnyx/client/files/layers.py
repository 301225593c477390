"""Text and compression over a file that is written: they are there, or not, as one with it.

Python's own layers only close what is below them, whether their block failed or they were
forgotten, and most compressors do not even that.
"""

from contextlib import suppress
from io import BufferedIOBase, TextIOWrapper
from types import TracebackType
from typing import Any

from pnyx.client.files.stream import PnyxFile


class Compressed(BufferedIOBase):
    """What is written through a compressor into a file of the cluster."""

    def __init__(self, compressor: Any, file: PnyxFile) -> None:
        self._compressor = compressor
        self._file = file

    def writable(self) -> bool:
        return not self.closed

    def write(self, data: Any) -> int:
        return self._compressor.write(data)

    def close(self) -> None:
        """End the compressor's stream, and make all of it the file."""
        if self.closed:
            return
        try:
            with self._file:
                self._compressor.close()
        finally:
            super().close()

    def forget(self) -> None:
        """Never be a file, unless it is one already."""
        if not self.closed:
            self._file.forget()
            self._end()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None and not self.closed:
            self._file.discard()
            self._end()
        self.close()

    def __del__(self) -> None:
        self.forget()

    def _end(self) -> None:
        # The file below is closed, so the end of the stream goes nowhere; but a compressor that is
        # not closed would try again when it is collected.
        with suppress(ValueError):
            self._compressor.close()
        super().close()


class Text(TextIOWrapper):
    """Text that is written into a file of the cluster."""

    # Narrower than any buffer.
    buffer: PnyxFile | Compressed  # type: ignore[assignment]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.buffer.__exit__(kind, error, trace)
        super().__exit__(kind, error, trace)

    def __del__(self) -> None:
        # After `detach` the buffer is its new owner's.
        with suppress(ValueError):
            self.buffer.forget()
