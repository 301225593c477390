"""ls, tree, stat, cat, put, get, cp, mv, rm, mkdir: what one does with files every day."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from os import fstat
from os.path import samestat
from pathlib import Path
from secrets import token_hex
from typing import Annotated, Any, TypeAlias

from cyclopts import Parameter

from pnyx.cli.fs.cluster import FileTrouble, files
from pnyx.cli.options import Flag, Nodes, Password
from pnyx.cli.output import Form, show
from pnyx.cli.progress import Progress
from pnyx.cli.statuses import OK
from pnyx.client.files.filesystem import PnyxFileSystem
from pnyx.client.files.names import name_of
from pnyx.client.files.stream import BLOCK_BYTES
from pnyx.errors import SettingsWrong

STANDARD = "-"
"""Standard input or output in place of a local path."""


def _no_option(_kind: object, value: str) -> None:
    if value.startswith("-") and value != STANDARD:
        raise ValueError(f"unknown option {value}; a local file of that name is ./{value}")


Local: TypeAlias = Annotated[str, Parameter(allow_leading_hyphen=True, validator=_no_option)]


def ls(
    path: str = "/", *, nodes: Nodes = None, password: Password = None, output: Form = "table"
) -> int:
    """List a directory, or one file.

    Args:
        path: a path in the cluster.
        output: how to print it.
    """
    with files(nodes, password) as fs:
        rows = [_row(entry) for entry in fs.ls(path)]
    show(rows, ("type", "size", "modified", "name"), output)
    return OK


def tree(path: str = "/", *, nodes: Nodes = None, password: Password = None) -> int:
    """Show a directory and everything below it.

    Args:
        path: a path in the cluster.
    """
    with files(nodes, password) as fs:
        print(fs.info(path)["name"])
        for line in _branches(fs, path, ""):
            print(line)
    return OK


def stat(
    path: str, *, nodes: Nodes = None, password: Password = None, output: Form = "json"
) -> int:
    """Print what is known of a path: type, size, id, when it came and was last written.

    Args:
        path: a path in the cluster.
        output: how to print it.
    """
    with files(nodes, password) as fs:
        row = _row(fs.info(path))
    show([row], tuple(row), output)
    return OK


def cat(path: str, *, nodes: Nodes = None, password: Password = None) -> int:
    """Write a file's bytes to standard output.

    Args:
        path: a path in the cluster.
    """
    return get(path, STANDARD, nodes=nodes, password=password)


def put(local: Local, path: str, *, nodes: Nodes = None, password: Password = None) -> int:
    """Write a local file into the cluster; it is there, whole, when this returns.

    Args:
        local: a local file; - reads standard input.
        path: where to; a directory, or a path that ends in /, gets it under its own name.
    """
    with files(nodes, password) as fs:
        if local != STANDARD and (path.endswith("/") or fs.isdir(path)):
            path = f"{path.rstrip('/')}/{Path(local).name}"
        size = 0 if local == STANDARD else _local_size(local)
        with ExitStack() as stack:
            source = sys.stdin.buffer
            if local != STANDARD:
                source = stack.enter_context(Path(local).open("rb"))
            _pump(source, stack.enter_context(fs.open(path, "wb")), size)
    return OK


def get(path: str, local: Local = ".", *, nodes: Nodes = None, password: Password = None) -> int:
    """Read a file of the cluster into a local one, which is replaced when all of it was read.

    Args:
        path: a path in the cluster.
        local: a local file; a directory, or a path that ends in /, gets it under its own name; - is
            standard output. Devices and pipes are written into.
    """
    with files(nodes, password) as fs, fs.open(path, "rb") as source:
        place = Path(local)
        if local == STANDARD or _is_output(place):
            _pump(source, sys.stdout.buffer, source.size)
            sys.stdout.buffer.flush()
            return OK
        if local.endswith("/") or place.is_dir():
            place /= name_of(source.path)
        # What a link points to is replaced, and not the link.
        place = place.resolve()
        if not place.parent.is_dir():
            raise FileTrouble(
                f"no such local directory: {place.parent}; nothing was read",
                next_step="make it first",
            )
        if place.exists() and not place.is_file():
            with place.open("wb") as target:
                _pump(source, target, source.size)
        else:
            _replace(place, source)
    return OK


def cp(
    source: str,
    target: str,
    *,
    recursive: Flag = False,
    nodes: Nodes = None,
    password: Password = None,
) -> int:
    """Copy a file within the cluster.

    Args:
        source: a path in the cluster.
        target: another; a directory gets it under its own name.
        recursive: a directory, with everything below it.
    """
    with files(nodes, password) as fs:
        _check(fs, source, "copied", recursive=recursive)
        fs.copy(source, target, recursive=recursive)
    return OK


def mv(
    source: str,
    target: str,
    *,
    recursive: Flag = False,
    nodes: Nodes = None,
    password: Password = None,
) -> int:
    """Move a file: at one moment within its directory; elsewhere it is copied first.

    Args:
        source: a path in the cluster.
        target: another; a directory gets it under its own name.
        recursive: a directory, with everything below it, file by file.
    """
    with files(nodes, password) as fs:
        _check(fs, source, "moved", recursive=recursive)
        fs.mv(source, target, recursive=recursive)
    return OK


def rm(
    *paths: str,
    recursive: Flag = False,
    yes: Flag = False,
    nodes: Nodes = None,
    password: Password = None,
) -> int:
    """Remove files. Whoever reads one now may go on for ten minutes.

    Args:
        paths: paths in the cluster.
        recursive: directories, with everything below them.
        yes: do not ask before a directory is removed.
    """
    if not paths:
        raise SettingsWrong("nothing to remove", next_step="name at least one path")
    with files(nodes, password) as fs:
        for path in paths:
            if (
                _check(fs, path, "removed", recursive=recursive) == "directory"
                and not yes
                and not _agreed(f"remove {path} and everything below it?")
            ):
                continue
            fs.rm(path, recursive=recursive)
    return OK


def mkdir(path: str, *, nodes: Nodes = None, password: Password = None) -> int:
    """Make a directory, and those above it.

    Args:
        path: a path in the cluster.
    """
    with files(nodes, password) as fs:
        fs.makedirs(path, exist_ok=False)
    return OK


def _check(fs: PnyxFileSystem, path: str, what: str, *, recursive: bool) -> str:
    """Return what lies at a path: here it is no pattern, and a directory must be meant."""
    found: str = fs.info(path)["type"]
    if found == "directory" and not recursive:
        raise FileTrouble(
            f"it is a directory: {path}; nothing of it was {what}", next_step="add --recursive"
        )
    return found


def _row(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value.isoformat(timespec="seconds") if isinstance(value, datetime) else value
        for key, value in entry.items()
    }


def _branches(fs: PnyxFileSystem, path: str, indent: str) -> Iterator[str]:
    for entry in fs.ls(path):
        is_directory = entry["type"] == "directory"
        name = entry["name"].rpartition("/")[2]
        yield f"{indent}  {name}/" if is_directory else f"{indent}  {name}  {entry['size']}"
        if is_directory:
            yield from _branches(fs, entry["name"], indent + "  ")


def _local_size(local: str) -> int:
    try:
        return Path(local).stat().st_size
    except FileNotFoundError as error:
        raise FileTrouble(f"no such local file: {local}; nothing was written") from error


def _is_output(place: Path) -> bool:
    """Is it our own standard output: /dev/stdout, whatever that is?"""
    try:
        return samestat(place.stat(), fstat(sys.stdout.fileno()))
    except (OSError, ValueError):
        # Not there, or nothing that the system has opened.
        return False


def _replace(place: Path, source: Any) -> None:
    part = place.with_name(f".pnyx-{token_hex(8)}.part")
    try:
        with part.open("xb") as target:
            _pump(source, target, source.size)
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)


def _pump(source: Any, target: Any, size: int) -> None:
    progress = Progress(-(-size // BLOCK_BYTES), "pieces of 2 MiB")
    while piece := source.read(BLOCK_BYTES):
        target.write(piece)
        progress.step()
    progress.end()


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise FileTrouble(f"not done: {question}", next_step="say --yes, for nobody can be asked")
    return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
