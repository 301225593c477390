"""The two sides of the comparison: a real redis-server, and pnyx wherever it is to be found."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from differential.raw import RawConnection
from gateway.local import free_port

LOCAL = Path(__file__).parent.parent / "gateway" / "local.py"
VALUE_BYTES_MAX = 4 * 1024 * 1024
PORT_VARIABLE = "PNYX_DIFFERENTIAL_PORT"
"""The gateway port of a running pnyx; without it the gateway runs over its local store."""


def why_no_redis() -> str | None:
    if shutil.which("redis-server") is None:
        return "redis-server is not installed (Debian package redis-server)"
    version = subprocess.run(
        ["redis-server", "--version"], capture_output=True, text=True, check=True
    ).stdout
    return None if "v=7.0." in version else f"made for redis-server 7.0, found {version.strip()}"


@contextlib.contextmanager
def redis_server(*options: str) -> Iterator[int]:
    port = free_port()
    limit = str(VALUE_BYTES_MAX)
    arguments = ["--save", "", "--appendonly", "no", "--proto-max-bulk-len", limit, *options]
    arguments += ["--enable-debug-command", "yes"]
    with _program(["redis-server", "--port", str(port), *arguments], port):
        yield port


@contextlib.contextmanager
def pnyx_server() -> Iterator[int]:
    named = os.environ.get(PORT_VARIABLE)
    if named is not None:
        yield int(named)
        return
    port = free_port()
    ports = ["--gateway-port", str(port), "--cluster-port", str(free_port())]
    with _program([sys.executable, str(LOCAL), *ports], port):
        yield port


@contextlib.contextmanager
def _program(arguments: list[str], port: int) -> Iterator[None]:
    path = [str(LOCAL.parent.parent), *sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, env=environment) as program:
        try:
            _await_listener(port, program)
            yield
        finally:
            program.terminate()
            program.wait(10)


def _await_listener(port: int, program: "subprocess.Popen[bytes]") -> None:
    for _ in range(200):
        assert program.poll() is None, "the server stopped at once"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("the server does not listen")


def connect(port: int, protocol: int) -> RawConnection:
    connection = RawConnection("127.0.0.1", port)
    if protocol == 3:
        assert connection.ask(b"HELLO", b"3").startswith(b"%7\r\n")
    return connection
