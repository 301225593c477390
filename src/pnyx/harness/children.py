"""Processes that the nursery forked, adopted by this one: watched and signalled by their ids."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

PR_SET_CHILD_SUBREAPER: Final = 36
"""prctl(2): orphans among our descendants become our children, so that we may wait for them."""
NO_CERTIFICATES: Final = {"SSL_CERT_FILE": os.devnull, "SSL_CERT_DIR": os.devnull}
"""aiohttp reads all certificates of the machine as it is imported, a fifth of a node's start; no
node makes a connection that would need one."""
POLL_S: Final = 0.01
STATUS_LOST: Final = 255
"""Somebody else waited for our child."""


class _Lifeline:
    """The writing end of a pipe, held as long as anybody holds this object."""

    def __init__(self) -> None:
        self.reading, self._writing = os.pipe()

    def __del__(self) -> None:
        os.close(self._writing)


class Child:
    """One process."""

    def __init__(self, pid: int, lifeline: _Lifeline) -> None:
        self.pid = pid
        self._lifeline = lifeline
        self._status: int | None = None
        self._lock = threading.Lock()

    def status(self) -> int | None:
        """Return the exit status, negative for a signal; None while the process exists."""
        # Two threads must not wait for one child: the second would find it gone.
        with self._lock:
            if self._status is None:
                try:
                    pid, raw = os.waitpid(self.pid, os.WNOHANG)
                except ChildProcessError:
                    self._status = STATUS_LOST
                else:
                    self._status = os.waitstatus_to_exitcode(raw) if pid else None
            return self._status

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if the process still exists."""
        # A child that was not waited for keeps its id: no other process can have it.
        if self.status() is None:
            os.kill(self.pid, number)

    def wait(self, timeout_s: float) -> int | None:
        """Return the exit status, or None if the process still exists after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while self.status() is None and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return self.status()


def fork_nodes(settings: Sequence[Path], errors: Path) -> list[Child]:
    """Start a node for each settings file; fewer if the nursery broke, which `errors` then tells.

    Returns when the processes exist, before any of them serves. Their input ends when the last
    `Child` is dropped or this process dies, by whatever signal; they drain then.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    lifeline = _Lifeline()
    try:
        with errors.open("ab") as log:
            nursery = subprocess.run(
                [sys.executable, "-m", "pnyx.harness.nursery", *map(str, settings)],
                stdin=lifeline.reading,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                env=os.environ | NO_CERTIFICATES,
                check=False,
            )
    finally:
        os.close(lifeline.reading)
    return [Child(int(line), lifeline) for line in nursery.stdout.split()]
