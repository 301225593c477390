"""Which ports the nodes of a cluster on this machine listen on."""

import secrets
import socket
from dataclasses import dataclass, fields
from typing import Final

from pnyx.errors import PnyxError

PORT_MAX: Final = 65_535
OUT_OF_THE_WAY_MIN: Final = 20_000
"""Ports for tests start here: above all well-known services, ..."""
OUT_OF_THE_WAY_MAX: Final = 32_000
"""... and end below what the kernel gives to outgoing connections (32768 on Linux)."""


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
    """Return free ports for `count` nodes that no well-known service uses, other each time."""
    width = OUT_OF_THE_WAY_MAX - OUT_OF_THE_WAY_MIN - 4 * count
    start = OUT_OF_THE_WAY_MIN + secrets.randbelow(width)
    ports, _ = plan(count, Bases(start, start + count, start + 2 * count, start + 3 * count))
    return ports


def _next_free(host: str, wanted: int, chosen: set[int]) -> int:
    for port in range(wanted, PORT_MAX + 1):
        if port not in chosen and is_free(host, port):
            return port
    raise NoPort(
        f"no free port from {wanted} upwards on {host}",
        cause="all of them are taken",
        next_step="choose another range, for example --gateway-port 16379",
    )
