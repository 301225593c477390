"""Which ports the nodes of a cluster on this machine listen on."""

import fcntl
import os
import secrets
import socket
import tempfile
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Final

from pnyx.errors import PnyxError

PORT_MAX: Final = 65_535
OUT_OF_THE_WAY_MIN: Final = 20_000
"""Ports for tests start here: above all well-known services, ..."""
OUT_OF_THE_WAY_MAX: Final = 32_000
"""... and end below what the kernel gives to outgoing connections (32768 on Linux)."""
TRIES_MAX: Final = 1_000
"""Places that are looked at for ports that nobody has claimed."""


class NoPort(PnyxError):
    """No free port was found. Nothing was started."""

    code = "PX0403"


@dataclass(frozen=True, slots=True)
class Ports:
    """The four ports of one node."""

    gateway: int
    cluster: int
    peers: int
    http: int


@dataclass(frozen=True, slots=True)
class Bases:
    """Where the search for each kind of port begins: node i gets base + i, if it is free."""

    gateway: int = 6379
    cluster: int = 7001
    peers: int = 7101
    http: int = 8301


@dataclass(frozen=True, slots=True)
class Moved:
    """A port that was wanted but is taken, and the one used instead."""

    kind: str
    wanted: int
    used: int


class _Claims:
    """Ports of servers that this process has not started yet, or that are down just now.

    A lock on byte N of a file in the user's name is the claim of port N by a process. It ends with
    the process, however that ends.
    """

    def __init__(self) -> None:
        self._file: int | None = None
        self._own: set[int] = set()

    def take(self, ports: Iterable[int]) -> bool:
        """Claim all these ports, or none if one of them is claimed."""
        if self._file is None:
            # It stays open: closing it would end all claims.
            path = Path(tempfile.gettempdir()) / f"pnyx-ports-{os.getuid()}"
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        taken: list[int] = []
        for port in ports:
            if port in self._own or not self._lock(port):
                self.give_back(taken)
                return False
            self._own.add(port)
            taken.append(port)
        return True

    def give_back(self, ports: Iterable[int]) -> None:
        """Claim these no more; what was not claimed stays so."""
        for port in self._own.intersection(ports):
            assert self._file is not None, "there are claims"
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, port)
            self._own.remove(port)

    def _lock(self, port: int) -> bool:
        assert self._file is not None, "it was opened"
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        except (BlockingIOError, PermissionError):
            return False
        return True


_claims: Final = _Claims()


def is_free(host: str, port: int) -> bool:
    """Return whether a listener can be bound there now."""
    with socket.socket() as listener:
        # As servers do: a port whose last connections are in TIME_WAIT is not taken.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(1)
        except OSError:
            return False
    return True


def plan(count: int, bases: Bases, host: str = "127.0.0.1") -> tuple[list[Ports], list[Moved]]:
    """Return ports for `count` nodes, and which of them are not the wanted ones.

    Raises:
        NoPort: everything from the wanted port upwards is taken.
    """
    moved: list[Moved] = []
    chosen: set[int] = set()
    columns: dict[str, list[int]] = {}
    for kind in (field.name for field in fields(Bases)):
        base: int = getattr(bases, kind)
        columns[kind] = []
        for wanted in range(base, base + count):
            used = _next_free(host, wanted, chosen)
            chosen.add(used)
            columns[kind].append(used)
            if used != wanted:
                moved.append(Moved(kind, wanted, used))
    rows = zip(*(columns[field.name] for field in fields(Ports)), strict=True)
    return [Ports(*row) for row in rows], moved


def out_of_the_way(count: int) -> list[Ports]:
    """Return free ports for `count` nodes that no well-known service uses, other each time.

    Nobody else who asks here gets them before `give_back` or the end of this process, so that a
    node of a test may be down for a while.

    Raises:
        NoPort: they are claimed, nearly all.
    """
    width = OUT_OF_THE_WAY_MAX - OUT_OF_THE_WAY_MIN - 4 * count
    for _ in range(TRIES_MAX):
        start = OUT_OF_THE_WAY_MIN + secrets.randbelow(width)
        ports, _ = plan(count, Bases(start, start + count, start + 2 * count, start + 3 * count))
        if _claims.take(_numbers(ports)):
            return ports
    raise NoPort(
        f"no free ports between {OUT_OF_THE_WAY_MIN} and {OUT_OF_THE_WAY_MAX}",
        cause="clusters of other processes have claimed nearly all of them",
        next_step="close clusters that are not needed any more",
    )


def give_back(ports: Iterable[Ports]) -> None:
    """Let others have ports of `out_of_the_way`; nothing listens there any more."""
    _claims.give_back(_numbers(ports))


def _numbers(ports: Iterable[Ports]) -> list[int]:
    return [number for one in ports for number in astuple(one)]


def _next_free(host: str, wanted: int, chosen: set[int]) -> int:
    for port in range(wanted, PORT_MAX + 1):
        if port not in chosen and is_free(host, port):
            return port
    raise NoPort(
        f"no free port from {wanted} upwards on {host}",
        cause="all of them are taken",
        next_step="choose another range, for example --gateway-port 16379",
    )
