"""Files that a command is told to write: refused before it begins, written when it has ended."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pnyx.errors import DiskFailed, SettingsWrong


def refuse_unwritable(*paths: Path | None) -> None:
    """Refuse what cannot be written, before the work whose result it is to hold.

    Opening is the only sure test; what was not there is not there afterwards.

    Raises:
        SettingsWrong: with the first of them.
    """
    for path in paths:
        # To open a pipe, and close it, would be the end of it for its reader.
        if path is None or (path.exists() and not path.is_file() and not path.is_dir()):
            continue
        try:
            is_new = not path.exists()
            path.open("ab").close()
            if is_new:
                path.unlink()
        except OSError as error:
            raise SettingsWrong(
                f"cannot write {path}; nothing was run",
                cause=error.strerror or str(error),
                next_step="name a file in a directory that is there and that this user may write",
            ) from error


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """Yield the file at `path`, open for writing and empty.

    Raises:
        DiskFailed: it is not whole.
    """
    try:
        with path.open("wb") as file:
            yield file
    except OSError as error:
        raise DiskFailed(
            f"{path} was not written to its end",
            cause=error.strerror or str(error),
            next_step="look at its disk, or name another file; then run it again",
        ) from error
