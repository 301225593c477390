"""A load on real nodes that can tell afterwards whether anything was lost, doubled or stale.

Clients append unique tokens to shared keys and read them. An append-only value remembers its own
history, so the judgement needs no search: it is exact for lost, doubled and reordered writes, for
writes that were refused and happened all the same, and for reads that miss what was acknowledged
before they began.
"""

import contextlib
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pnyx.harness.resp import Connection, Refused, Unreachable

UNKNOWN_PREFIX: Final = "UNKNOWN"
APPENDS_PER_KEY: Final = 150
"""Then a fresh key: values stay small."""


@dataclass(slots=True)
class Append:
    """One append: when, and what its client was told."""

    key: str
    token: bytes
    began_s: float
    ended_s: float = 0.0
    outcome: str = "unknown"
    """done, refused or unknown."""
    length: int = 0
    """What the node said the value's length was; only when done."""


@dataclass(frozen=True, slots=True)
class Read:
    """One read that was answered."""

    key: str
    began_s: float
    ended_s: float
    value: bytes


@dataclass(slots=True)
class Observed:
    """Everything the clients saw."""

    appends: list[Append] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    longest_s: float = 0.0
    """The longest that any request took to be answered, or to be given up."""


class Witness:
    """Clients on threads of their own, each with one connection at a time."""

    def __init__(
        self,
        addresses: Sequence[tuple[str, int]],
        *,
        clients: int,
        seed: int,
        think_s: float = 0.005,
        timeout_s: float = 8.0,
    ) -> None:
        self.observed = Observed()
        self._addresses = addresses
        self._think_s = think_s
        self._timeout_s = timeout_s
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(number, seed), daemon=True)
            for number in range(clients)
        ]

    def start(self) -> None:
        """Begin the load."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> Observed:
        """End the load and return what was seen; bounded by one request's time limit."""
        self._stop.set()
        for thread in self._threads:
            thread.join(self._timeout_s + 5)
            assert not thread.is_alive(), "a request waited without end"
        return self.observed

    def done_count(self) -> int:
        """Return how many appends were acknowledged so far."""
        with self._lock:
            return sum(append.outcome == "done" for append in self.observed.appends)

    def _run(self, number: int, seed: int) -> None:
        draw = random.Random(f"{seed}/{number}")  # noqa: S311 - a workload, not a secret
        connection: Connection | None = None
        count = 0
        while not self._stop.is_set():
            if connection is None:
                connection = self._connect(draw)
                continue
            count += 1
            key = f"witness:{draw.randrange(4)}:{count // APPENDS_PER_KEY}"
            began = time.monotonic()
            try:
                if draw.random() < 0.5:
                    self._append(connection, key, b"%d.%d;" % (number, count))
                else:
                    self._read(connection, key)
            except Unreachable:
                connection.close()
                connection = None
            with self._lock:
                self.observed.longest_s = max(self.observed.longest_s, time.monotonic() - began)
            self._stop.wait(self._think_s)
        if connection is not None:
            connection.close()

    def _connect(self, draw: random.Random) -> Connection | None:
        host, port = draw.choice(self._addresses)
        with contextlib.suppress(Unreachable):
            return Connection(host, port, timeout_s=self._timeout_s)
        self._stop.wait(0.05)
        return None

    def _append(self, connection: Connection, key: str, token: bytes) -> None:
        append = Append(key, token, time.monotonic())
        with self._lock:
            self.observed.appends.append(append)
        try:
            append.length = connection.call("APPEND", key, token)
            append.outcome = "done"
        except Refused as refused:
            if not str(refused).startswith(UNKNOWN_PREFIX):
                append.outcome = "refused"
        finally:
            append.ended_s = time.monotonic()

    def _read(self, connection: Connection, key: str) -> None:
        began = time.monotonic()
        with contextlib.suppress(Refused):
            value = connection.call("GET", key) or b""
            with self._lock:
                self.observed.reads.append(Read(key, began, time.monotonic(), value))


def judge(observed: Observed, final: dict[str, bytes]) -> list[str]:
    """Return a sentence for everything that no correct store could have answered."""
    wrong: list[str] = []
    for key in sorted({append.key for append in observed.appends}):
        value = final.get(key, b"")
        appends = [append for append in observed.appends if append.key == key]
        reads = [read for read in observed.reads if read.key == key]
        ends = _ends(value)
        wrong += _judge_appends(key, value, ends, appends)
        wrong += _judge_reads(key, value, ends, appends, reads)
    return wrong


def _ends(value: bytes) -> dict[bytes, list[int]]:
    ends: dict[bytes, list[int]] = {}
    at = 0
    for token in value.split(b";")[:-1]:
        at += len(token) + 1
        ends.setdefault(token + b";", []).append(at)
    return ends


def _judge_appends(
    key: str, value: bytes, ends: dict[bytes, list[int]], appends: list[Append]
) -> list[str]:
    wrong: list[str] = []
    for append in appends:
        found = ends.get(append.token, [])
        if len(found) > 1:
            wrong.append(f"{key}: {append.token!r} is there {len(found)} times: doubled")
        if append.outcome == "done" and not found:
            wrong.append(f"{key}: {append.token!r} was acknowledged and is lost")
        if append.outcome == "done" and found and found[0] != append.length:
            wrong.append(
                f"{key}: {append.token!r} ends at {found[0]}, its reply said {append.length}"
            )
        if append.outcome == "refused" and found:
            wrong.append(f"{key}: {append.token!r} was refused as not done, and is there")
    known = {append.token for append in appends}
    wrong += [f"{key}: {token!r} was never sent" for token in ends if token not in known]
    done = sorted((a for a in appends if a.outcome == "done"), key=lambda a: a.ended_s)
    furthest, furthest_ended = 0, 0.0
    for append in sorted(appends, key=lambda a: a.began_s):
        while done and done[0].ended_s < append.began_s:
            ended = done.pop(0)
            if ended.length > furthest:
                furthest, furthest_ended = ended.length, ended.ended_s
        at = ends.get(append.token, [])
        if at and at[0] < furthest and append.began_s > furthest_ended:
            wrong.append(f"{key}: {append.token!r} stands before one acknowledged before it began")
    assert len(value) >= furthest or wrong, "a shorter value has lost something"
    return wrong


def _judge_reads(
    key: str,
    value: bytes,
    ends: dict[bytes, list[int]],
    appends: list[Append],
    reads: list[Read],
) -> list[str]:
    wrong: list[str] = []
    events = [(append.ended_s, append.length) for append in appends if append.outcome == "done"]
    events += [(read.ended_s, len(read.value)) for read in reads]
    events.sort()
    began = {ends[a.token][0]: a.began_s for a in appends if ends.get(a.token)}
    at, least = 0, 0
    for read in sorted(reads, key=lambda one: one.began_s):
        while at < len(events) and events[at][0] < read.began_s:
            least = max(least, events[at][1])
            at += 1
        length = len(read.value)
        if value[:length] != read.value:
            wrong.append(f"{key}: a read saw {read.value[-40:]!r}, which the value never was")
        elif length < least:
            wrong.append(f"{key}: a read saw {length} bytes, {least} were there before it: stale")
        elif began.get(length, 0.0) > read.ended_s:
            wrong.append(f"{key}: a read saw a write before it was sent")
    return wrong
