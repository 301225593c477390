"""A steady writer: one client that writes as fast as it is answered, and counts what it sees."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import hiredis

from pnyx.harness.resp import Connection, Unreachable

PIPELINE: Final = 16
KEYS: Final = 10_000
PAUSE_S: Final = 0.01
"""Between pipelines: a demo leaves the machine usable."""


@dataclass(slots=True)
class Tally:
    """What was seen since the last look."""

    done: int = 0
    refused: int = 0
    broken: int = 0
    longest_s: float = 0.0
    """The longest time without a successful write."""


class Load:
    """Writes on a thread of its own, through any gateway that answers."""

    def __init__(self, gateways: Sequence[tuple[str, int]], password: str | None) -> None:
        self._gateways = list(gateways)
        self._password = password
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._tally = Tally()
        self._succeeded_s = time.monotonic()
        self._thread = threading.Thread(target=self._write, name="load", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(timeout=10)

    def look(self) -> Tally:
        """Return what was seen since the last look."""
        with self._lock:
            seen, self._tally = self._tally, Tally()
            seen.longest_s = max(seen.longest_s, time.monotonic() - self._succeeded_s)
            return seen

    def _write(self) -> None:
        turn = 0
        while not self._stop.is_set():
            host, port = self._gateways[turn % len(self._gateways)]
            turn += 1
            try:
                with Connection(host, port, timeout_s=4.0, password=self._password) as connection:
                    self._write_through(connection)
            except Unreachable:
                with self._lock:
                    self._tally.broken += 1
                self._stop.wait(0.05)

    def _write_through(self, connection: Connection) -> None:
        number = 0
        while not self._stop.is_set():
            commands = []
            for _ in range(PIPELINE):
                number += 1
                commands.append(("SET", f"load:{number % KEYS}", f"value {number}"))
            replies = connection.pipeline(commands)
            refused = sum(isinstance(reply, hiredis.ReplyError) for reply in replies)
            now_s = time.monotonic()
            with self._lock:
                self._tally.refused += refused
                self._tally.done += len(replies) - refused
                if refused < len(replies):
                    waited_s = now_s - self._succeeded_s
                    self._tally.longest_s = max(self._tally.longest_s, waited_s)
                    self._succeeded_s = now_s
            self._stop.wait(PAUSE_S)
