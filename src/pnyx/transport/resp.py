"""RESP on the wire: the exact parser of requests, and the encoder of replies (RESP2 and RESP3).

The parser follows redis-server's own, error texts included, with our limits in place of its. It
never reserves memory for what a length only promises: the buffer holds what has arrived.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec

from pnyx.machine.results import NullArray, Pairs, Refusal, Result, Status, Values

LINE_BYTES_MAX: Final = 64 * 1024
"""An inline command, or the line of a count or a length (Redis: PROTO_INLINE_MAX_SIZE)."""

WORD_OVERHEAD_BYTES: Final = 48
"""What a short word costs beyond its bytes; counted, so that tiny words cannot hide."""

_INTEGER = re.compile(rb"(?:0|-?[1-9][0-9]{0,18})\Z")


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What one connection may send; a stricter set holds before AUTH."""

    words_max: int
    word_bytes_max: int
    buffered_bytes_max: int
    authenticated: bool
    """Decides which of Redis' two error texts a count or a length over the limit gets."""


BEFORE_AUTH: Final = RequestLimits(
    words_max=10, word_bytes_max=16 * 1024, buffered_bytes_max=1024 * 1024, authenticated=False
)
"""CVE-2021-32675: strangers must not make us hold much (Redis has the same three numbers)."""


class ProtocolFault(Exception):
    """The bytes are no request. The text is Redis'; the connection cannot go on."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class RequestParser:
    """Turns bytes into commands, one at a time; `limits` may change between two commands."""

    def __init__(self, limits: RequestLimits) -> None:
        self.limits = limits
        self._buffer = bytearray()
        self._at = 0
        self._words: list[bytes] = []
        self._words_bytes = 0
        self._words_missing = 0
        self._word_length = -1

    @property
    def buffered_bytes(self) -> int:
        """What this parser holds: bytes not yet parsed and words of an unfinished command."""
        return len(self._buffer) - self._at + self._words_bytes

    @property
    def is_idle(self) -> bool:
        """Are we exactly between two commands, with nothing held back?"""
        return not self._words_missing and self._at == len(self._buffer)

    def feed(self, chunk: bytes) -> None:
        """Add what arrived."""
        if self._at:
            del self._buffer[: self._at]
            self._at = 0
        self._buffer += chunk

    def rest(self) -> bytes:
        """Return the bytes after the last command and forget them; only between commands."""
        assert not self._words_missing, "an unfinished command cannot change parsers"
        rest = bytes(memoryview(self._buffer)[self._at :])
        self._buffer.clear()
        self._at = 0
        return rest

    def next_command(self) -> list[bytes] | None:
        """Return the next command's words, or None until more bytes arrive.

        Raises:
            ProtocolFault: what is there can never become a command. Feed no more.
        """
        while True:
            if self._words_missing:
                if not self._take_words():
                    break
                words, self._words = self._words, []
                self._words_bytes = 0
                return words
            if self._at == len(self._buffer):
                break
            if self._buffer[self._at] != 0x2A:
                inline = self._take_inline()
                if inline is None:
                    break
                if inline:
                    return inline
            elif not self._take_count():
                break
        if self.buffered_bytes > self.limits.buffered_bytes_max:
            raise ProtocolFault("Protocol error: query buffer limit exceeded")
        return None

    def _line_end(self, fault: str) -> int:
        end = self._buffer.find(b"\r", self._at)
        if end < 0:
            if len(self._buffer) - self._at > LINE_BYTES_MAX:
                raise ProtocolFault(fault)
            return -1
        return end if end + 1 < len(self._buffer) else -1

    def _take_count(self) -> bool:
        end = self._line_end("Protocol error: too big mbulk count string")
        if end < 0:
            return False
        count = _integer(self._buffer[self._at + 1 : end])
        if count is None or count > self.limits.words_max:
            if count is not None and count <= 0x7FFFFFFF and not self.limits.authenticated:
                raise ProtocolFault("Protocol error: unauthenticated multibulk length")
            raise ProtocolFault("Protocol error: invalid multibulk length")
        self._at = end + 2
        self._words_missing = max(count, 0)
        return True

    def _take_words(self) -> bool:
        buffer = self._buffer
        while self._words_missing:
            if self._word_length < 0 and not self._take_length():
                return False
            end = self._at + self._word_length
            if len(buffer) < end + 2:
                return False
            # Like Redis, the two bytes after a word are skipped, not compared.
            # Not a slice of the buffer, which would be a copy to be copied.
            self._words.append(bytes(memoryview(buffer)[self._at : end]))
            self._words_bytes += self._word_length + WORD_OVERHEAD_BYTES
            self._at = end + 2
            self._word_length = -1
            self._words_missing -= 1
        return True

    def _take_length(self) -> bool:
        if self._words_bytes > self.limits.buffered_bytes_max:
            raise ProtocolFault("Protocol error: query buffer limit exceeded")
        end = self._line_end("Protocol error: too big bulk count string")
        if end < 0:
            return False
        if self._buffer[self._at] != 0x24:
            # A NUL ends the text, as it does in Redis' C string.
            shown = self._buffer[self._at : self._at + 1].decode("utf-8", "surrogateescape")
            found = "" if shown == "\0" else f"{shown}'"
            raise ProtocolFault(f"Protocol error: expected '$', got '{found}")
        length = _integer(self._buffer[self._at + 1 : end])
        if length is None or length < 0:
            raise ProtocolFault("Protocol error: invalid bulk length")
        if length > self.limits.word_bytes_max:
            if not self.limits.authenticated:
                raise ProtocolFault("Protocol error: unauthenticated bulk length")
            raise ProtocolFault("Protocol error: invalid bulk length")
        self._at = end + 2
        self._word_length = length
        return True

    def _take_inline(self) -> list[bytes] | None:
        end = self._buffer.find(b"\n", self._at)
        if end < 0:
            if len(self._buffer) - self._at > LINE_BYTES_MAX:
                raise ProtocolFault("Protocol error: too big inline request")
            return None
        if end - self._at > LINE_BYTES_MAX:
            raise ProtocolFault("Protocol error: too big inline request")
        line = bytes(self._buffer[self._at : end])
        self._at = end + 1
        return split_line(line.removesuffix(b"\r"))


def _integer(digits: bytes | bytearray) -> int | None:
    """Return the number as Redis' string2ll reads it: no blanks, no plus, no leading zero."""
    if _INTEGER.match(digits) is None:
        return None
    number = int(digits)
    return number if -(2**63) <= number < 2**63 else None


_SPACE: Final = b" \n\r\t\v\f"
_ESCAPES: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}
_PLAIN = re.compile(rb"[^\"' \n\r\t\v\f\0]+")
_DOUBLE = re.compile(rb'\\x[0-9a-fA-F]{2}|\\.|[^"\\]', re.DOTALL)
_SINGLE = re.compile(rb"\\'|[^']", re.DOTALL)


def split_line(line: bytes) -> list[bytes]:
    """Return the words of an inline command, quotes and escapes as redis-cli writes them.

    Raises:
        ProtocolFault: a quote does not close, or something follows the closing one directly.
    """
    words: list[bytes] = []
    line = line.split(b"\0", 1)[0]
    at = 0
    while at < len(line):
        if line[at : at + 1] in _SPACE:
            at += 1
            continue
        word, at = _line_word(line, at)
        words.append(word)
    return words


def _line_word(line: bytes, at: int) -> tuple[bytes, int]:
    pieces: list[bytes] = []
    while at < len(line) and line[at : at + 1] not in _SPACE:
        plain = _PLAIN.match(line, at)
        if plain is not None:
            pieces.append(plain[0])
            at = plain.end()
            continue
        quoted, at = _quoted(line, at + 1, line[at : at + 1])
        pieces.append(quoted)
        if at < len(line) and line[at : at + 1] not in _SPACE:
            raise ProtocolFault("Protocol error: unbalanced quotes in request")
        break
    return b"".join(pieces), at


def _quoted(line: bytes, at: int, quote: bytes) -> tuple[bytes, int]:
    pieces: list[bytes] = []
    pattern, unescaped = (_DOUBLE, _unescaped) if quote == b'"' else (_SINGLE, _apostrophe)
    while line[at : at + 1] != quote:
        piece = pattern.match(line, at)
        if piece is None:
            raise ProtocolFault("Protocol error: unbalanced quotes in request")
        pieces.append(unescaped(piece[0]))
        at = piece.end()
    return b"".join(pieces), at + 1


def _unescaped(piece: bytes) -> bytes:
    if len(piece) == 1:
        return piece
    if len(piece) == 4:
        return bytes.fromhex(piece[2:].decode())
    return _ESCAPES.get(piece[1:], piece[1:])


def _apostrophe(piece: bytes) -> bytes:
    return piece[-1:]


# Replies.


class Verbatim(msgspec.Struct, frozen=True, gc=False):
    """Text for people: ``=n txt:`` in RESP3, a bulk string in RESP2."""

    text: bytes


class Unordered(msgspec.Struct, frozen=True):
    """A RESP3 set, an array in RESP2."""

    members: tuple["Reply", ...]


class Rows(msgspec.Struct, frozen=True):
    """An array whose members may be any reply."""

    members: tuple["Reply", ...]


class Map(msgspec.Struct, frozen=True):
    """A RESP3 map whose values may be any reply, a flat array in RESP2."""

    members: tuple[tuple["Reply", "Reply"], ...]


class Encoded(msgspec.Struct, frozen=True, gc=False):
    """A reply whose bytes were made before, of RESP2 and of RESP3."""

    resp2: bytes
    resp3: bytes

    @staticmethod
    def of(reply: "Reply") -> "Encoded":
        """Return what never changes and is often told."""
        return Encoded(encode_reply(reply, 2), encode_reply(reply, 3))


Reply: TypeAlias = Result | Verbatim | Encoded | Unordered | Rows | Map


NUMBERS_READY: Final = 1024
"""Counts, flags and lengths are nearly always smaller: their bytes are made once."""

_INTEGERS: Final = tuple(b":%d\r\n" % number for number in range(NUMBERS_READY))
_BULKS: Final = tuple(b"$%d\r\n%%b\r\n" % size for size in range(NUMBERS_READY))


def encode_reply(reply: Reply, protocol: int) -> bytes:
    """Return the reply as exactly one RESP value of the protocol version, 2 or 3."""
    if isinstance(reply, bytes):
        size = len(reply)
        is_small = size < NUMBERS_READY
        return _BULKS[size] % reply if is_small else b"".join((b"$%d\r\n" % size, reply, b"\r\n"))
    if isinstance(reply, int):
        return _INTEGERS[reply] if 0 <= reply < NUMBERS_READY else b":%d\r\n" % reply
    if reply is None:
        return b"_\r\n" if protocol == 3 else b"$-1\r\n"
    if type(reply) is Status:
        return b"+" + reply.text + b"\r\n"
    if type(reply) is Refusal:
        return encode_error(reply.text)
    return _COMPOSITES[reply.__class__](reply, protocol)


_ONE_LINE: Final = str.maketrans("\r\n", "  ")


def encode_error(text: str) -> bytes:
    """Return an error reply; whatever a client put into the text stays on one line."""
    return b"-%b\r\n" % text.translate(_ONE_LINE).encode("utf-8", "surrogateescape")


def encode_push(*members: Reply) -> bytes:
    """Return what RESP3 clients may be told between replies: its kind comes first."""
    parts = [encode_reply(member, 3) for member in members]
    return b">%d\r\n%b" % (len(parts), b"".join(parts))


def _encode_array(reply: Values | Rows, protocol: int) -> bytes:
    members = [encode_reply(member, protocol) for member in reply.members]
    return b"*%d\r\n%b" % (len(members), b"".join(members))


def _encode_set(reply: Unordered, protocol: int) -> bytes:
    mark = b"~" if protocol == 3 else b"*"
    members = [encode_reply(member, protocol) for member in reply.members]
    return b"%b%d\r\n%b" % (mark, len(members), b"".join(members))


def _encode_map(reply: Pairs | Map, protocol: int) -> bytes:
    members = [encode_reply(member, protocol) for pair in reply.members for member in pair]
    if protocol == 3:
        return b"%%%d\r\n%b" % (len(reply.members), b"".join(members))
    return b"*%d\r\n%b" % (len(members), b"".join(members))


def _encode_text(reply: Verbatim, protocol: int) -> bytes:
    if protocol == 3:
        return b"=%d\r\ntxt:%b\r\n" % (len(reply.text) + 4, reply.text)
    return b"$%d\r\n%b\r\n" % (len(reply.text), reply.text)


def _encoded(reply: Encoded, protocol: int) -> bytes:
    return reply.resp3 if protocol == 3 else reply.resp2


def _encode_null_array(_reply: NullArray, protocol: int) -> bytes:
    return b"_\r\n" if protocol == 3 else b"*-1\r\n"


_COMPOSITES: Final[dict[type, Callable[..., bytes]]] = {
    Values: _encode_array,
    Rows: _encode_array,
    Unordered: _encode_set,
    Pairs: _encode_map,
    Map: _encode_map,
    Verbatim: _encode_text,
    Encoded: _encoded,
    NullArray: _encode_null_array,
}
