"""A plain blocking RESP connection: what the command line, the demo's load and the bench speak.

It follows no MOVED and retries nothing, for after a broken connection the outcome of a write is
unknown and only the caller knows whether sending it again does harm.
"""

import socket
from collections.abc import Sequence
from typing import Any, Final

import hiredis

from pnyx.errors import PnyxError
from pnyx.harness.closing import Closing

READ_BYTES: Final = 65_536
"""How much is asked of the socket at a time."""


class Unreachable(PnyxError):
    """Nobody answers at the address, or the connection broke; a write's outcome is unknown."""

    code = "PX0401"


class Refused(PnyxError):
    """The node answered with a RESP error; the text is its own."""

    code = "PX0402"


class Connection(Closing):
    """One connection to one client port, used by one thread."""

    def __init__(
        self, host: str, port: int, *, timeout_s: float = 5.0, password: str | None = None
    ) -> None:
        self.address = f"{host}:{port}"
        try:
            self._socket = socket.create_connection((host, port), timeout=timeout_s)
        except OSError as error:
            raise self._unreachable(error) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = hiredis.Reader()
        if password is not None:
            try:
                self.call("AUTH", password)
            except PnyxError:
                self.close()
                raise

    def close(self) -> None:
        """Close the socket; calling again does nothing."""
        self._socket.close()

    def call(self, *words: bytes | str | int) -> Any:
        """Send one command and return its reply.

        Raises:
            Refused: the reply is an error.
            Unreachable: no reply came.
        """
        reply = self.pipeline([words])[0]
        if isinstance(reply, hiredis.ReplyError):
            raise Refused(str(reply))
        return reply

    def pipeline(self, commands: Sequence[Sequence[bytes | str | int]]) -> list[Any]:
        """Send all commands at once and return all replies; errors stand in the list as values."""
        payload = b"".join(packed(words) for words in commands)
        replies: list[Any] = []
        try:
            self._socket.sendall(payload)
            while len(replies) < len(commands):
                replies.append(self._reply())
        except OSError as error:
            self.close()
            raise self._unreachable(error) from error
        return replies

    def _reply(self) -> Any:
        while True:
            reply = self._reader.gets()
            if reply is not False:
                return reply
            received = self._socket.recv(READ_BYTES)
            if not received:
                raise ConnectionResetError("the node closed the connection")
            self._reader.feed(received)

    def _unreachable(self, error: OSError) -> Unreachable:
        return Unreachable(
            f"no answer from {self.address}; nothing is known of a write that was on its way",
            cause=str(error) or type(error).__name__,
            next_step="`pnyx status` shows which nodes are up; `--addr HOST:PORT` asks another one",
        )


def packed(words: Sequence[bytes | str | int]) -> bytes:
    """Return a command as a RESP array of bulk strings."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        raw = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)
