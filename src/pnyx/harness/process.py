"""One node as a process of this machine: started, watched, hurt and ended, by its own id only."""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pnyx.errors import PnyxError
from pnyx.harness.children import Child, fork_nodes
from pnyx.harness.ports import Ports

STOP_S_MAX: Final = 12.0
"""A node drains within 10 s of SIGTERM; one that does not is killed after this."""
KILL_S_MAX: Final = 10.0
"""What the kernel may take to end a process that is in the middle of a write."""
LOG_LINES_SHOWN: Final = 10
LOG_TAIL_BYTES: Final = 16_384


class StartFailed(PnyxError):
    """A node process ended or did not answer in time. Its data is untouched."""

    code = "PX0404"


@dataclass(slots=True)
class NodeProcess:
    """A node's place on this machine, and its process while there is one."""

    label: str
    host: str
    ports: Ports
    settings_path: Path
    log_path: Path
    paused: bool = False
    _child: Child | None = field(default=None, repr=False)

    @property
    def pid(self) -> int | None:
        """The process id while the process exists, paused or not."""
        return self._child.pid if self._child is not None and self.is_running() else None

    @property
    def status(self) -> int | None:
        """The exit status of a process that has ended; negative for a signal."""
        return None if self._child is None else self._child.status()

    def is_running(self) -> bool:
        """Return whether the process exists; a paused one does."""
        return self._child is not None and self._child.status() is None

    def kill(self) -> None:
        """End the process by SIGKILL and wait for that."""
        self._signal(signal.SIGKILL)
        if self._child is not None:
            self._child.wait(KILL_S_MAX)
        self.paused = False

    def terminate(self) -> None:
        """Ask the process to drain and exit; `wait` for it afterwards."""
        if self.paused:
            self.resume()
        self._signal(signal.SIGTERM)

    def wait(self, timeout_s: float = STOP_S_MAX) -> int | None:
        """Return the exit status once the process has ended; kill it after `timeout_s`."""
        if self._child is not None and self._child.wait(timeout_s) is None:
            self.kill()
        return self.status

    def pause(self) -> None:
        """Stop the process in its tracks (SIGSTOP): it keeps its connections and says nothing."""
        self._signal(signal.SIGSTOP)
        self.paused = self.is_running()

    def resume(self) -> None:
        """Let a paused process run on (SIGCONT)."""
        self._signal(signal.SIGCONT)
        self.paused = False

    def log_tail(self, lines: int = LOG_LINES_SHOWN) -> list[str]:
        """Return the last lines of the log file, fewer if there are fewer."""
        try:
            with self.log_path.open("rb") as log:
                log.seek(max(0, os.fstat(log.fileno()).st_size - LOG_TAIL_BYTES))
                return log.read().decode(errors="replace").splitlines()[-lines:]
        except FileNotFoundError:
            return []

    def start_failed(self, cause: str) -> StartFailed:
        """Return the error that says why this node is not up, with the end of its log."""
        shown = "".join(f"\n          {line}" for line in self.log_tail())
        return StartFailed(
            f"node {self.label} did not start",
            cause=f"{cause}; the end of {self.log_path}:{shown or ' (empty)'}",
            next_step="mend what the log names and start again; the data is as it was",
        )

    def _signal(self, number: signal.Signals) -> None:
        if self._child is not None:
            self._child.send(number)


def start_together(nodes: Sequence[NodeProcess]) -> None:
    """Start the processes of `nodes`, none of which runs, and return before any of them serves."""
    assert not any(node.is_running() for node in nodes), "one of them runs already"
    children = fork_nodes([node.settings_path for node in nodes], nodes[0].log_path)
    for node, child in zip(nodes, children, strict=False):
        node.paused = False
        node._child = child  # noqa: SLF001 - a node is started here and nowhere else
    if len(children) < len(nodes):
        raise nodes[0].start_failed("the program that starts nodes broke")
