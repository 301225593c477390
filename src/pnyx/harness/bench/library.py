"""What the client library and its files do, beside redis-py and the disk, in turns."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import redis

from pnyx.client.blocking import connect
from pnyx.harness.cluster import Cluster

Say = Callable[[str], None]

DEPTH: Final = 16
VALUE: Final = b"v" * 64
MEGABYTE: Final = 1_000_000
PIECE_BYTES: Final = 1024 * 1024
_HEAD: Final = ("| what | measured | ratio |", "|---|---|---|")


@dataclass(frozen=True, slots=True)
class Rates:
    """Medians of alternating rounds, operations a second."""

    plain: float
    """SET outside of sessions, one at a time."""
    session: float
    pipelined: float
    """SET in a session, `DEPTH` at a time."""
    redis_py: float
    """SET by redis-py at the same node."""


@dataclass(frozen=True, slots=True)
class FileRates:
    """One large file, bytes a second."""

    size: int
    disk: float
    """Writing the same bytes to a local file, synced MiB by MiB."""
    written: float
    read: float
    client_bytes: int
    """The most memory that the writing and reading process had resident."""


def client(rounds: int, seconds: float, say: Say) -> Rates:
    """Return how fast one thread writes, by client and way, in alternating rounds."""
    found: dict[str, list[float]] = {}
    with Cluster() as cluster:
        cluster.start()
        cluster.wait_healthy()
        leader = cluster.nodes[cluster.wait_for_leader()]
        url = f"pnyx://{leader.host}:{leader.ports.gateway}"
        with (
            connect(url) as once,
            connect(url, exactly_once=False) as plain,
            redis.Redis(leader.host, leader.ports.gateway) as theirs,
        ):
            ways: dict[str, tuple[int, Callable[[int], Any]]] = {
                "plain": (1, lambda number: plain.set(f"key:{number % 1000}", VALUE)),
                "session": (1, lambda number: once.set(f"key:{number % 1000}", VALUE)),
                "pipelined": (DEPTH, lambda number: _sixteen(once.pipeline(), number)),
                "redis_py": (1, lambda number: theirs.set(f"key:{number % 1000}", VALUE)),
            }
            for number in range(1, rounds + 1):
                for name, (at_once, act) in ways.items():
                    rate = _rate(act, seconds) * at_once
                    found.setdefault(name, []).append(rate)
                    say(f"client {number}/{rounds}  {name} {rate:,.0f}/s")
    return Rates(**{name: statistics.median(rates) for name, rates in found.items()})


def files(size: int, say: Say) -> FileRates:
    """Return how fast a process of its own writes a file of `size` bytes and reads it back."""
    with Cluster() as cluster:
        cluster.start()
        cluster.wait_healthy()
        disk = _disk_rate(cluster.directory, size)
        nodes = ",".join(f"{node.host}:{node.ports.cluster}" for node in cluster.nodes.values())
        command = [sys.executable, "-m", "pnyx.harness.bench.onefile", nodes, str(size)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    written, read, peak = float(told[0]), float(told[1]), int(told[2])
    say(f"files    written {written / MEGABYTE:.0f} MB/s, read {read / MEGABYTE:.0f} MB/s")
    return FileRates(size, disk, written, read, peak)


def _sixteen(pipeline: Any, number: int) -> None:
    for place in range(DEPTH):
        pipeline.set(f"key:{(number + place) % 1000}", VALUE)
    pipeline.execute()


def _rate(act: Callable[[int], Any], seconds: float) -> float:
    began_s = time.monotonic()
    number = 0
    while time.monotonic() - began_s < seconds:
        act(number)
        number += 1
    return number / (time.monotonic() - began_s)


def _disk_rate(directory: Path, size: int) -> float:
    piece = os.urandom(PIECE_BYTES)
    began_s = time.monotonic()
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(-(-size // PIECE_BYTES)):
            file.write(piece)
            file.flush()
            os.fdatasync(file.fileno())
    return size / (time.monotonic() - began_s)


def client_summary(rates: Rates) -> list[str]:
    """Return what a client does as lines of a Markdown table."""
    plain, session = rates.plain, rates.session
    return [
        *_HEAD,
        f"| SET of one thread, `pnyx.connect` without sessions | {plain:,.0f}/s | |",
        f"| the same in a session | {session:,.0f}/s | {session / plain:.2f}x of without |",
        f"| the same by redis-py | {rates.redis_py:,.0f}/s | ours without sessions "
        f"{plain / rates.redis_py:.2f}x |",
        f"| in a session, {DEPTH} at a time | {rates.pipelined:,.0f}/s | "
        f"{rates.pipelined / session:.1f}x of one at a time |",
    ]


def files_summary(large: FileRates) -> list[str]:
    """Return what became of a large file as lines of a Markdown table."""
    size, disk = f"{large.size / MEGABYTE:.0f} MB", large.disk
    return [
        *_HEAD,
        f"| {size} in pieces of 1 MiB to the disk, each synced | {disk / MEGABYTE:.0f} MB/s | |",
        "| the same as a file on three nodes on that disk | "
        f"{large.written / MEGABYTE:.0f} MB/s | {large.written / disk:.2f}x of the disk |",
        f"| read back | {large.read / MEGABYTE:.0f} MB/s | |",
        f"| the writing and reading process, at most | {large.client_bytes / 2**20:.0f} MiB | |",
    ]
