"""The demo's terminal: single keys in, lines out, colour only where it is wanted."""

import os
import sys
import termios
import tty
from types import TracebackType
from typing import Any, Final

GREEN: Final = "32"
YELLOW: Final = "33"
RED: Final = "31"


class Terminal:
    """Standard input and output; a context manager, for the terminal's mode must come back."""

    def __init__(self) -> None:
        self.takes_keys = sys.stdin.isatty() and sys.stdout.isatty()
        self._colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._mode: list[Any] | None = None

    def __enter__(self) -> "Terminal":
        if self.takes_keys:
            self._mode = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._mode is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._mode)

    def key(self) -> str:
        """Return the key that was pressed; empty at the end of input."""
        return os.read(sys.stdin.fileno(), 1).decode(errors="replace").lower()

    def say(self, line: str = "") -> None:
        """Print a line at once: a script may wait for it."""
        print(line, flush=True)

    def coloured(self, text: str, colour: str) -> str:
        """Return `text`, in colour on a terminal."""
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour else text
