"""The filesystem ``pnyx://`` for everything that speaks fsspec: pandas, pyarrow, Dask.

    pandas.read_csv("pnyx://127.0.0.1:7001/demo/cities.csv")

Files are replaced at one moment and are never seen half-written. Renaming a file within its
directory happens at one moment as well; across directories a file is copied, then removed, so after
a crash both names may be there (`pnyx fs fsck` finishes that). Directories are made as needed.
"""

from contextlib import suppress
from datetime import UTC, datetime
from errno import EINVAL, ENOTEMPTY
from glob import escape, has_magic
from io import TextIOWrapper
from ipaddress import IPv6Address
from os import strerror
from re import Match, sub
from typing import Any, ClassVar, Final
from urllib.parse import unquote
from weakref import finalize

from fsspec.callbacks import DEFAULT_CALLBACK, Callback
from fsspec.compression import compr
from fsspec.core import get_compression
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractFileSystem

from pnyx.client.files.errors import NameRefused
from pnyx.client.files.formats import Kind, Manifest
from pnyx.client.files.layers import Compressed, Text
from pnyx.client.files.names import ROOT, cleaned, name_of, parent_of
from pnyx.client.files.store import Store
from pnyx.client.files.stream import PnyxFile
from pnyx.client.files.upload import Upload
from pnyx.client.runner import Runner
from pnyx.client.settings import TIMEOUT_S_DEFAULT, settled
from pnyx.client.url import PORT_DEFAULT, SCHEME
from pnyx.errors import PnyxError

NODES_DEFAULT = f"127.0.0.1:{PORT_DEFAULT}"

TEXT_OPTIONS: Final = ("encoding", "errors", "newline")


class PnyxFileSystem(AbstractFileSystem):
    """The files of one cluster."""

    protocol: ClassVar[str] = "pnyx"
    root_marker: ClassVar[str] = ROOT

    def __init__(
        self,
        nodes: str = NODES_DEFAULT,
        password: str | None = None,
        timeout_s: float = TIMEOUT_S_DEFAULT,
        **options: Any,
    ) -> None:
        """Know the cluster that has nodes at `nodes` (``host:port[,host:port...]``).

        Args:
            nodes: cluster ports, or gateway ports; 7001 where none is written.
            password: what the nodes' `requirepass` says.
            timeout_s: seconds that one request to the cluster may take with all its attempts.
            options: fsspec's own.
        """
        super().__init__(**options)
        self.nodes = _in_full(nodes)
        settings = settled(
            SCHEME + nodes, password=password, timeout_s=timeout_s, decode=False, exactly_once=True
        )
        self.runner = Runner.of(settings)
        self.store = Store(self.runner)
        # fsspec keeps filesystems as long as it likes and closes none.
        self._let_go = finalize(self, self.runner.courier.close)

    def close(self) -> None:
        """Close the connections, and let fsspec hand this out no more; again it does nothing."""
        self._let_go()
        kept = type(self)._cache  # noqa: SLF001 - fsspec can only forget all of them
        if kept.get(self._fs_token) is self:
            del kept[self._fs_token]

    # Names.

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        text = str(path)
        if text.startswith(SCHEME):
            text = ROOT + text[len(SCHEME) :].partition("/")[2]
        return ROOT + "/".join(name for name in text.split("/") if name)

    @staticmethod
    def _get_kwargs_from_urls(path: str) -> dict[str, Any]:
        if not path.startswith(SCHEME):
            return {}
        place = path[len(SCHEME) :].partition("/")[0]
        credentials, found, nodes = place.rpartition("@")
        options: dict[str, Any] = {"nodes": _in_full(nodes)} if nodes else {}
        if found:
            options["password"] = unquote(credentials.partition(":")[2])
        return options

    def unstrip_protocol(self, name: str) -> str:
        """Return the URL of a path, without the password."""
        return f"{SCHEME}{self.nodes}{self._strip_protocol(name)}"

    # Looking.

    def info(self, path: str, **_options: Any) -> dict[str, Any]:
        """Return name, type (file or directory), size in bytes, id, and when it came and changed.

        Raises:
            FileNotFoundError: nothing is there.
        """
        path = cleaned(self._strip_protocol(path))
        manifest = self.store.directories.entry(path)
        if manifest is None:
            raise FileNotFoundError(path)
        return _described(path, manifest)

    def ls(self, path: str, detail: bool = True, **_options: Any) -> list[Any]:  # noqa: FBT001, FBT002
        """Return what lies in a directory, by name; a file's own description if it is one.

        In one in which ten looks in a row saw renames, what is renamed just then may be missing or
        there twice.

        Raises:
            FileNotFoundError: nothing is there.
        """
        path = cleaned(self._strip_protocol(path))
        found = [self.info(path)]
        if found[0]["type"] == "directory":
            found = [_described(*each) for each in self.store.directories.listed_entries(path)]
            found.sort(key=lambda each: each["name"])
        return found if detail else [each["name"] for each in found]

    def exists(self, path: str, **_options: Any) -> bool:
        """Return whether anything is there.

        Raises:
            Unavailable, Timeout: nobody could be asked; fsspec would say that nothing is there.
        """
        return self._type_of(path) is not None

    def isfile(self, path: str) -> bool:
        """Return whether a file is there; raise as `exists` does."""
        return self._type_of(path) == "file"

    def isdir(self, path: str) -> bool:
        """Return whether a directory is there; raise as `exists` does."""
        return self._type_of(path) == "directory"

    def _type_of(self, path: str) -> str | None:
        try:
            return str(self.info(path)["type"])
        except (FileNotFoundError, NameRefused):
            return None

    def created(self, path: str) -> datetime:
        """Return when the path first came to be, by the cluster's clock."""
        created: datetime = self.info(path)["created"]
        return created

    def modified(self, path: str) -> datetime:
        """Return when the file was last written, by the cluster's clock."""
        modified: datetime = self.info(path)["modified"]
        return modified

    def ukey(self, path: str) -> str:
        """Return what changes whenever the file does: its id."""
        return str(self.info(path)["id"])

    def expand_path(
        self,
        path: Any,
        recursive: bool = False,  # noqa: FBT001, FBT002
        maxdepth: int | None = None,
        assume_literal: bool = False,  # noqa: FBT001, FBT002
        **options: Any,
    ) -> list[str]:
        """Return what a path or pattern means; a path that is there means that one.

        Raises:
            FileNotFoundError: nothing matches.
        """
        paths = path if isinstance(path, list) else [path]
        if not assume_literal:
            paths = [escape(each) if self._is_there(each) else each for each in paths]
        return super().expand_path(paths, recursive, maxdepth, assume_literal, **options)

    def _is_there(self, path: Any) -> bool:
        """Does a path that could be a pattern lie there as it is?"""
        return isinstance(path, str) and has_magic(path) and self.exists(path)

    # Directories.

    def mkdir(self, path: str, create_parents: bool = True, **_options: Any) -> None:  # noqa: FBT001, FBT002
        """Make a directory, and those above it.

        Raises:
            FileExistsError: something is there.
            FileNotFoundError: nothing is above it, and `create_parents` is false.
        """
        path = cleaned(self._strip_protocol(path))
        if not create_parents:
            self.info(parent_of(path))
        self.store.directories.make(path, self.store.clock_ms(), exist_ok=False)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:  # noqa: FBT001, FBT002
        """Make a directory and those above it."""
        path = cleaned(self._strip_protocol(path))
        self.store.directories.make(path, self.store.clock_ms(), exist_ok=exist_ok)

    def rmdir(self, path: str) -> None:
        """Remove an empty directory.

        Raises:
            OSError: it is not empty.
        """
        path = cleaned(self._strip_protocol(path))
        if path == ROOT or not self.store.directories.remove(path):
            raise OSError(ENOTEMPTY, strerror(ENOTEMPTY), path)

    # Files.

    def rm_file(self, path: str) -> None:
        """Remove a file, or an empty directory."""
        path = cleaned(self._strip_protocol(path))
        if self.info(path)["type"] == "directory":
            if path != ROOT:
                self.rmdir(path)
        else:
            self.store.remove(path)

    _rm = rm_file

    def cp_file(self, path1: str, path2: str, **_options: Any) -> None:
        """Copy a file, or make a directory like the one at `path1`."""
        source, target = (cleaned(self._strip_protocol(path)) for path in (path1, path2))
        manifest = self.store.directories.entry(source)
        if manifest is None:
            raise FileNotFoundError(source)
        if manifest.kind is Kind.DIRECTORY:
            self.makedirs(target, exist_ok=True)
        else:
            self._copy_file(source, target, manifest)

    def _copy_file(
        self, source: str, target: str, manifest: Manifest, *, is_move: bool = False
    ) -> None:
        """Copy the file that `manifest` describes, whatever lies at `source` by now."""
        permit = self.store.begin(target)
        upload = Upload(self.store.chunks, permit.file_id)
        try:
            for content in self.store.chunks.read(manifest.id, 0, manifest.chunk_count, source):
                upload.put(content)
            upload.finish()
        except BaseException:
            with suppress(PnyxError):
                upload.finish()
            self.store.give_up(permit, manifest.size)
            raise
        moved_from = (source, manifest.id) if is_move else None
        self.store.commit(permit, manifest.size, moved_from=moved_from)

    def copy(
        self,
        path1: Any,
        path2: Any,
        recursive: bool = False,  # noqa: FBT001, FBT002
        maxdepth: int | None = None,
        on_error: str | None = None,
        **options: Any,
    ) -> None:
        """Copy files within the cluster, as fsspec does."""
        if self._is_there(path1):
            path1, path2 = self._pairs(path1, path2, self, recursive=recursive, maxdepth=maxdepth)
        super().copy(path1, path2, recursive, maxdepth, on_error, **options)

    def get(
        self,
        rpath: Any,
        lpath: Any,
        recursive: bool = False,  # noqa: FBT001, FBT002
        callback: Callback = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        **options: Any,
    ) -> None:
        """Copy files to local ones, as fsspec does."""
        if self._is_there(rpath):
            local = LocalFileSystem()
            rpath, lpath = self._pairs(rpath, lpath, local, recursive=recursive, maxdepth=maxdepth)
        super().get(rpath, lpath, recursive, callback, maxdepth, **options)

    def _pairs(
        self,
        source: str,
        target: str,
        there: AbstractFileSystem,
        *,
        recursive: bool,
        maxdepth: int | None,
    ) -> tuple[list[str], list[str]]:
        """Return what to copy where: fsspec takes a name with a star in it for many."""
        top = self._strip_protocol(source)
        sources = [
            each
            for each in self.expand_path(source, recursive, maxdepth)
            if recursive or not self.isdir(each)
        ]
        root = target.rstrip("/")
        if (target.endswith("/") or there.isdir(target)) and not source.endswith("/"):
            root = f"{root}/{name_of(top)}"
        return sources, [root + each[len(top) :] for each in sources]

    def mv(
        self,
        path1: str,
        path2: str,
        recursive: bool = False,  # noqa: FBT001, FBT002
        maxdepth: int | None = None,
        **_options: Any,
    ) -> None:
        """Move files: one within its directory at one moment; others are copied first.

        What comes into a directory while it is moved stays where it came.

        Raises:
            IsADirectoryError: `recursive` is false.
            MoveUnfinished: both names may be there.
            OSError: a directory would be moved into itself. Nothing was done.
        """
        source, target = (cleaned(self._strip_protocol(path)) for path in (path1, path2))
        kind = self._type_of(source)
        if kind is None:
            if not has_magic(source):
                raise FileNotFoundError(source)
            # Each by itself: what a pattern finds may hold the target.
            for each in self.expand_path(source):
                landing = cleaned(f"{target}/{name_of(each)}")
                self._move(each, landing, recursive=recursive, maxdepth=maxdepth)
            return
        if self.isdir(target) or (kind == "file" and str(path2).endswith("/")):
            target = cleaned(f"{target}/{name_of(source)}")
        self._move(source, target, recursive=recursive, maxdepth=maxdepth)

    def _move(self, source: str, target: str, *, recursive: bool, maxdepth: int | None) -> None:
        manifest = self.store.directories.entry(source)
        if manifest is None:
            raise FileNotFoundError(source)
        if manifest.kind is Kind.FILE:
            self._move_file(source, target, manifest)
        elif not recursive:
            raise IsADirectoryError(source)
        elif maxdepth is not None:
            raise ValueError("what lies deeper than maxdepth would be lost; nothing was moved")
        elif target.startswith(source.rstrip("/") + "/"):
            raise OSError(EINVAL, "a directory is not moved into itself", source, None, target)
        elif target != source:
            self._move_directory(source, target)

    def _move_directory(self, source: str, target: str) -> None:
        found = self.find(source, withdirs=True, detail=True)
        directories = [path for path in found if found[path]["type"] == "directory"]
        for path in directories:
            self.makedirs(target + path[len(source) :], exist_ok=True)
        for path in found:
            manifest = self.store.directories.entry(path)
            if manifest is not None and manifest.kind is Kind.FILE:
                self._move_file(path, target + path[len(source) :], manifest)
        for path in reversed(directories):
            # Not empty, or not there: somebody else has use for it, or had none.
            with suppress(FileNotFoundError, NotADirectoryError):
                self.store.directories.remove(path)

    def _move_file(self, source: str, target: str, manifest: Manifest) -> None:
        if parent_of(source) == parent_of(target):
            self.store.rename(source, target)
            return
        self._copy_file(source, target, manifest, is_move=True)
        self.store.finish_move(target, (source, manifest.id))

    def open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        cache_options: dict[str, Any] | None = None,
        compression: str | None = None,
        **options: Any,
    ) -> Any:
        """Open a file as fsspec does; one that is written is there when it is closed.

        Raises:
            FileNotFoundError, IsADirectoryError: there is none to read.
            FileExistsError: something is there, and the mode is ``"x"``.
        """
        if "b" not in mode:
            told = {name: options.pop(name) for name in TEXT_OPTIONS if name in options}
            binary = mode.replace("t", "") + "b"
            below = self.open(path, binary, block_size, cache_options, compression, **options)
            return (TextIOWrapper if "r" in mode else Text)(below, **told)
        compress = compr[get_compression(path, compression)]
        file = super().open(path, mode, block_size, cache_options, **options)
        compressor = compress(file, mode=mode[0])
        return compressor if compressor is file or "r" in mode else Compressed(compressor, file)

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,  # noqa: ARG002 - files have a size of their own
        autocommit: bool = True,  # noqa: FBT001, FBT002
        cache_options: dict[str, Any] | None = None,
        **options: Any,
    ) -> PnyxFile:
        clean = cleaned(path)
        # fsspec says it when it opens a file once more; the manifest knows.
        options.pop("size", None)
        manifest: Manifest | None = None
        if "r" in mode:
            manifest = self.store.file(clean)
        elif "w" not in mode:
            manifest = self.store.directories.entry(clean)
            if manifest is not None and "x" in mode:
                raise FileExistsError(clean)
        file = PnyxFile(
            self,
            self.store,
            clean,
            mode,
            manifest,
            autocommit=autocommit,
            cache_options=cache_options,
            **options,
        )
        if "r" in mode and manifest is not None:
            # Of the file that is open: another may lie there when fsspec asks.
            file.details = _described(clean, manifest)
        return file


def _described(path: str, manifest: Manifest) -> dict[str, Any]:
    is_file = manifest.kind is Kind.FILE
    return {
        "name": path,
        "type": "file" if is_file else "directory",
        "size": manifest.size,
        "id": manifest.id.hex(),
        "created": _moment(manifest.created_ms),
        "modified": _moment(manifest.modified_ms),
    }


def _in_full(nodes: str) -> str:
    """Return the nodes with IPv6 addresses written out: fsspec splits a URL at ``::``."""

    def written_out(place: Match[str]) -> str:
        try:
            return f"[{IPv6Address(place[1]).exploded}]"
        except ValueError:
            # No address, or one that only means something on this machine: who connects tells.
            return place[0]

    return sub(r"\[([^\]]*)\]", written_out, nodes)


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
