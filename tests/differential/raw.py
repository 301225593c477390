"""A connection that gives replies as the bytes they came in, for comparing two servers."""

import socket
from collections.abc import Sequence


class RawConnection:
    """Sends words, returns raw replies; knows just enough of RESP2 and RESP3 to find their end."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def ask(self, *words: bytes) -> bytes:
        """Send one command and return its raw reply."""
        self.send(*words)
        return self.reply()

    def ask_all(self, commands: Sequence[tuple[bytes, ...]]) -> list[bytes]:
        """Send commands at once, and return their raw replies."""
        self.send_all(commands)
        return [self.reply() for _ in commands]

    def send(self, *words: bytes) -> None:
        self.send_raw(_request(words))

    def send_all(self, commands: Sequence[tuple[bytes, ...]]) -> None:
        self.send_raw(b"".join([_request(words) for words in commands]))

    def send_raw(self, data: bytes) -> None:
        self._socket.sendall(data)

    def reply(self) -> bytes:
        """Return the next raw reply; b"" once the other side has hung up."""
        start = self._buffer
        try:
            end = self._skip(0)
        except EOFError:
            assert start in (b"", self._buffer), "the connection broke within a reply"
            return b""
        raw, self._buffer = self._buffer[:end], self._buffer[end:]
        return raw

    def rest(self) -> bytes:
        """Return everything until the other side hangs up."""
        while self._more():
            pass
        return self._buffer

    def close(self) -> None:
        self._socket.close()

    def _more(self) -> bool:
        try:
            chunk = self._socket.recv(1 << 20)
        except ConnectionResetError:
            return False
        self._buffer += chunk
        return bool(chunk)

    def _line_end(self, at: int) -> int:
        while (end := self._buffer.find(b"\r\n", at)) < 0:
            if not self._more():
                raise EOFError
        return end

    def _skip(self, at: int) -> int:
        """Return where the reply that starts at `at` ends."""
        end = self._line_end(at)
        kind, number = self._buffer[at : at + 1], self._buffer[at + 1 : end]
        after = end + 2
        if kind in {b"$", b"="}:
            if number == b"-1":
                return after
            after += int(number) + 2
            while len(self._buffer) < after:
                if not self._more():
                    raise EOFError
            return after
        if kind in {b"*", b"~", b"%", b">"}:
            members = max(int(number), 0) * (2 if kind == b"%" else 1)
            for _ in range(members):
                after = self._skip(after)
            return after
        assert kind in {b"+", b"-", b":", b"_", b"#", b",", b"("}, self._buffer[at : at + 80]
        return after


def _request(words: tuple[bytes, ...]) -> bytes:
    pieces = [b"*%d\r\n" % len(words)]
    return b"".join(pieces + [b"$%d\r\n%b\r\n" % (len(word), word) for word in words])


def parsed(raw: bytes) -> object:
    """Return a raw reply as Python values; errors and statuses keep their first byte."""
    value, rest = _parsed(raw)
    assert rest == b"", f"more than one value: {raw!r}"
    return value


def _parsed(raw: bytes) -> tuple[object, bytes]:
    line, rest = raw.split(b"\r\n", 1)
    kind, number = line[:1], line[1:]
    if kind == b":":
        return int(number), rest
    if kind == b"_" or number == b"-1":
        return None, rest
    if kind in {b"$", b"="}:
        length = int(number)
        return rest[:length], rest[length + 2 :]
    if kind in {b"*", b"~", b"%"}:
        members: list[object] = []
        for _ in range(int(number) * (2 if kind == b"%" else 1)):
            member, rest = _parsed(rest)
            members.append(member)
        return members, rest
    return line, rest
