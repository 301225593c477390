"""One node as a process of this machine: started, watched, hurt and ended, by its own id only."""

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pnyx.errors import PnyxError
from pnyx.harness.ports import Ports

STOP_S_MAX: Final = 12.0
"""A node drains within 10 s of SIGTERM; one that does not is killed after this."""
LOG_LINES_SHOWN: Final = 10
LOG_TAIL_BYTES: Final = 16_384

NO_CERTIFICATES: Final = {"SSL_CERT_FILE": os.devnull, "SSL_CERT_DIR": os.devnull}
"""aiohttp reads all certificates of the machine as it is imported, a fifth of a node's start; no
node makes a connection that would need one."""


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
    _popen: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def pid(self) -> int | None:
        """The process id while the process exists, paused or not."""
        return self._popen.pid if self._popen is not None and self.is_running() else None

    @property
    def status(self) -> int | None:
        """The exit status of a process that has ended; negative for a signal."""
        return None if self._popen is None else self._popen.poll()

    def is_running(self) -> bool:
        """Return whether the process exists; a paused one does."""
        return self._popen is not None and self._popen.poll() is None

    def start(self) -> None:
        """Start the process and return at once. Its output goes to the end of the log file.

        The node's standard input is a pipe that we hold and never write to: when this process dies,
        by whatever signal, the node reads its end and stops. It is a session of its own, so that
        Ctrl-C in a terminal reaches the demo and not the nodes.
        """
        assert not self.is_running(), f"{self.label} runs already"
        # It may have ended by itself: nobody has closed our end of its input then.
        self._reap(None)
        with self.log_path.open("ab") as log:
            self._popen = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "pnyx.harness.serve",
                    str(self.settings_path),
                    "--until-input-ends",
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | NO_CERTIFICATES,
            )

    def kill(self) -> None:
        """End the process by SIGKILL and wait for that."""
        self._signal(signal.SIGKILL)
        self._reap(None)

    def terminate(self) -> None:
        """Ask the process to drain and exit; `wait` for it afterwards."""
        if self.paused:
            self.resume()
        self._signal(signal.SIGTERM)

    def wait(self, timeout_s: float = STOP_S_MAX) -> int | None:
        """Return the exit status once the process has ended; kill it after `timeout_s`."""
        try:
            self._reap(timeout_s)
        except subprocess.TimeoutExpired:
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
        if self._popen is not None and self._popen.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self._popen.send_signal(number)

    def _reap(self, timeout_s: float | None) -> None:
        if self._popen is None:
            return
        self._popen.wait(timeout_s)
        if self._popen.stdin is not None:
            self._popen.stdin.close()
        self.paused = False
