"""How other terminals find the running demo: a file that it writes while it runs."""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Final

import msgspec

STATE_NAME: Final = "demo.json"
POINTER_NAME: Final = "running-demo"


class RunningNode(msgspec.Struct, frozen=True):
    """Where one node of the demo listens."""

    label: str
    host: str
    gateway_port: int
    cluster_port: int
    http_port: int


class Running(msgspec.Struct, frozen=True):
    """The demo that was started last and has not ended."""

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
    """Let other terminals find this demo; the one announced last is the one they find."""
    _replace(Path(running.directory) / STATE_NAME, msgspec.json.encode(running))
    _replace(home() / POINTER_NAME, running.directory.encode())


def withdraw(running: Running) -> None:
    """Take the announcement back; a later demo's stays."""
    (Path(running.directory) / STATE_NAME).unlink(missing_ok=True)
    pointer = home() / POINTER_NAME
    with contextlib.suppress(FileNotFoundError):
        if pointer.read_bytes() == running.directory.encode():
            pointer.unlink()


def find(directory: Path | None = None) -> Running | None:
    """Return the demo that runs on `directory`, or the one started last; None if there is none."""
    try:
        where = directory or Path((home() / POINTER_NAME).read_text(encoding="utf-8"))
        running = msgspec.json.decode((where / STATE_NAME).read_bytes(), type=Running)
    except (OSError, msgspec.DecodeError):
        return None
    return running if _is_alive(running.pid) else None


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
