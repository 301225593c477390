"""The demo's control socket: one JSON line asks for a fault, one JSON line says what came of it."""

import contextlib
import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from pnyx.cli.running import Running
from pnyx.errors import PnyxError

LINE_BYTES_MAX: Final = 65_536
PATIENCE_S: Final = 1.0
"""How long a second terminal may take to send its line."""
ANSWER_S_MAX: Final = 30.0
PATH_BYTES_MAX: Final = 100
"""The kernel takes 107."""


class Asked(msgspec.Struct, frozen=True):
    """What a second terminal wants."""

    verb: str
    node: str | None = None


class Told(msgspec.Struct, frozen=True):
    """What the demo answers."""

    text: str
    failed: bool = False


class NoDemo(PnyxError):
    """There is no running demo to talk to. Nothing was done."""

    code = "PX0407"


class DemoRefused(PnyxError):
    """The running demo could not do it."""

    code = "PX0408"


class ControlSocket:
    """The demo's end."""

    def __init__(self, directory: Path) -> None:
        path = directory / "demo.sock"
        self._own_folder: Path | None = None
        if len(os.fsencode(path)) > PATH_BYTES_MAX:
            self._own_folder = Path(tempfile.mkdtemp(prefix="pnyx-"))
            path = self._own_folder / "demo.sock"
        self.path = path
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen(4)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when somebody calls."""
        return self._listener.fileno()

    def answer(self, carry_out: Callable[[Asked], str]) -> str:
        """Serve whoever calls and return what was said; a broken caller is dropped."""
        caller, _ = self._listener.accept()
        with caller, contextlib.suppress(OSError, msgspec.DecodeError):
            caller.settimeout(PATIENCE_S)
            asked = msgspec.json.decode(_line(caller), type=Asked)
            try:
                told = Told(carry_out(asked))
            except PnyxError as error:
                told = Told(error.effect, failed=True)
            caller.sendall(msgspec.json.encode(told) + b"\n")
            return told.text
        return ""

    def close(self) -> None:
        """Stop listening and remove the path."""
        self._listener.close()
        self.path.unlink(missing_ok=True)
        if self._own_folder is not None:
            self._own_folder.rmdir()


def ask(running: Running | None, verb: str, node: str | None) -> str:
    """Have the running demo carry out `verb` and return its answer.

    Raises:
        NoDemo: none runs, or it went away meanwhile.
        DemoRefused: it could not do that.
    """
    if running is None:
        raise NoDemo("no demo is running", next_step="start one with `pnyx demo`")
    try:
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(ANSWER_S_MAX)
            caller.connect(running.control)
            caller.sendall(msgspec.json.encode(Asked(verb, node)) + b"\n")
            told = msgspec.json.decode(_line(caller), type=Told)
    except (OSError, msgspec.DecodeError) as error:
        raise NoDemo(
            f"the demo of {running.directory} does not answer",
            cause=str(error),
            next_step="look at its terminal, or start it again with `pnyx demo`",
        ) from error
    if told.failed:
        raise DemoRefused(told.text, next_step="`pnyx demo status` shows the nodes")
    return told.text


def _line(connection: socket.socket) -> bytes:
    received = b""
    while not received.endswith(b"\n") and len(received) < LINE_BYTES_MAX:
        more = connection.recv(4096)
        if not more:
            break
        received += more
    return received
