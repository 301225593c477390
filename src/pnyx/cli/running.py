"""How other terminals find the running demos: files that each of them writes while it runs.

One is in its directory and says where its nodes are; the other, in the user's own directory, is
named for its process and says which directory that is.
"""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Final

import msgspec

STATE_NAME: Final = "demo.json"
POINTERS_NAME: Final = "running-demos"


class RunningNode(msgspec.Struct, frozen=True):
    """Where one node of the demo listens."""

    label: str
    host: str
    gateway_port: int
    cluster_port: int
    http_port: int


class Running(msgspec.Struct, frozen=True):
    """A demo that has started and not ended."""

    pid: int
    directory: str
    control: str
    """Path of its control socket."""
    nodes: tuple[RunningNode, ...]
    password: str = ""


def home() -> Path:
    """Return the directory for pnyx's own data, made if need be."""
    base = os.environ.get("XDG_DATA_HOME") or Path("~/.local/share").expanduser()
    wanted = Path(base) / "pnyx"
    try:
        wanted.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        wanted = Path(tempfile.gettempdir()) / f"pnyx-{os.getuid()}"
        wanted.mkdir(exist_ok=True, mode=0o700)
    return wanted


def announce(running: Running) -> None:
    """Let other terminals find this demo; of several that run they find the one announced last."""
    _replace(Path(running.directory) / STATE_NAME, msgspec.json.encode(running))
    pointer = _pointer(running.pid)
    pointer.parent.mkdir(exist_ok=True)
    _replace(pointer, running.directory.encode())


def withdraw(running: Running) -> None:
    """Take the announcement back; other demos' stay."""
    (Path(running.directory) / STATE_NAME).unlink(missing_ok=True)
    _pointer(running.pid).unlink(missing_ok=True)


def find(directory: Path | None = None) -> Running | None:
    """Return the demo that runs on `directory`, or of all the one started last; None: none runs."""
    if directory is not None:
        return _alive_in(directory)
    known = []
    for path in (home() / POINTERS_NAME).glob("*[0-9]"):
        # A demo may end, or another terminal clean up, meanwhile.
        with contextlib.suppress(FileNotFoundError):
            if not _is_alive(int(path.name)):
                path.unlink()
                continue
            known.append((path.stat().st_mtime_ns, path.read_text(encoding="utf-8")))
    found = (_alive_in(Path(said)) for _, said in sorted(known, reverse=True))
    return next((running for running in found if running is not None), None)


def _alive_in(directory: Path) -> Running | None:
    try:
        running = msgspec.json.decode((directory / STATE_NAME).read_bytes(), type=Running)
    except (OSError, msgspec.DecodeError):
        return None
    return running if _is_alive(running.pid) else None


def _pointer(pid: int) -> Path:
    return home() / POINTERS_NAME / str(pid)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_suffix(".fresh")
    fresh.touch(mode=0o600)
    fresh.write_bytes(content)
    fresh.replace(path)
