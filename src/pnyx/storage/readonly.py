"""A node's space as it is on its disk, read beside the running node or without one.

RocksDB locks nothing when it only reads, but rocksdict writes a file of its own into whatever
directory it opens. So it is given another one: links to the tables, which never change once they
are written, and copies of the rest, which is small.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from rocksdict import AccessType, Options, Rdict

from pnyx.errors import DiskFailed, LostDisk
from pnyx.machine.space import View

_CURRENT: Final = "CURRENT"
"""Names the list of tables; without it there is no database yet."""
_TABLES: Final = frozenset({".sst", ".blob"})
_NOT_READ: Final = ("LOG", "LOCK")


class ReadOnlySpace:
    """A space, as far as it is durable; a context manager. Writes to it go nowhere."""

    def __init__(self, path: Path) -> None:
        """Open what is in `path`; nothing there is an empty space.

        Raises:
            LostDisk: it is damaged, or the node that runs removed a table meanwhile.
            DiskFailed: it cannot be read.
        """
        self._path = path
        self._links = tempfile.TemporaryDirectory(prefix="pnyx-")
        self._database: Rdict | None = None
        try:
            if (path / _CURRENT).exists():
                _link(path.resolve(), Path(self._links.name))
                options = Options(raw_mode=True)
                options.set_paranoid_checks(True)
                access = AccessType.read_only()
                self._database = Rdict(self._links.name, options, access_type=access)
        except Exception as error:
            self._links.cleanup()
            raise _storage_error(path, error) from error

    def get(self, key: bytes) -> bytes | None:
        try:
            return None if self._database is None else self._database.get(key)
        except Exception as error:
            raise _storage_error(self._path, error) from error

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        if self._database is None:
            return
        rows = self._database.iter()
        try:
            rows.seek(start)
            while rows.valid() and rows.key() < stop:
                yield rows.key(), rows.value()
                rows.next()
            # Damage ends an iteration just as the last row does.
            rows.status()
        except Exception as error:
            raise _storage_error(self._path, error) from error

    def write(
        self, rows: Mapping[bytes, bytes | None], drops: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        """Do nothing: a start deletes what an install left behind, and reads none of it."""

    def view(self) -> View:
        return self

    def flush(self) -> None:
        """Do nothing."""

    def is_behind(self) -> bool:
        return False

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
        self._links.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _link(path: Path, place: Path) -> None:
    # The list of tables first: those it names are there then, or were compacted away since.
    for file in path.iterdir():
        if file.suffix not in _TABLES and not file.name.startswith(_NOT_READ):
            shutil.copyfile(file, place / file.name)
    for file in path.iterdir():
        if file.suffix in _TABLES:
            (place / file.name).symlink_to(file)


def _storage_error(path: Path, error: Exception) -> Exception:
    text = str(error)
    # RocksDB reports a file that should be there as an I/O error; to us it is gone.
    if isinstance(error, FileNotFoundError) or "Corruption" in text or "No such file" in text:
        return LostDisk(
            f"the database in {path} is damaged",
            cause=text,
            next_step="move the node's data directory away and start it with an empty one: "
            "it joins again under a new identity",
        )
    return DiskFailed(
        f"the database in {path} cannot be read",
        cause=text,
        next_step="check the disk and the directory's permissions",
    )
