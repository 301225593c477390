"""Commands as bytes, and which kinds of values they may have."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import hiredis

from pnyx.transport.numbering import Number

Value: TypeAlias = bytes | bytearray | memoryview | str | int | float
"""What a key, value or argument may be. Text is UTF-8; what is not UTF-8 goes there and back as
surrogates (PEP 383); a float is written as Python's repr writes it."""

Words: TypeAlias = tuple[Value, ...]

_pack: Final[Callable[[Any], bytes]] = hiredis.pack_command

LARGE_BYTES: Final = 65_536
"""Of a word; from there on one copy is quicker than hiredis's three."""
READ_BYTES: Final = 65_536
"""How much is asked of a socket at a time."""


def packed(words: Words, before: bytes = b"") -> bytes:
    """Return a command as a RESP array of bulk strings, and `before` before it.

    Raises:
        TypeError: a word is none of `Value`. Nothing was sent.
    """
    for word in words:
        if isinstance(word, bytes) and len(word) > LARGE_BYTES:
            return _joined(words, before)
    try:
        return before + _pack(words)
    except (UnicodeEncodeError, TypeError):
        return before + _pack(tuple(map(raw_of, words)))


def packed_number(number: Number, ack: int) -> bytes:
    """Return what `packed` makes of PNYX.SEQ with a write's number and what is acknowledged.

    Every write has one, and its words are of known kinds: half of the time.
    """
    session, sequence, acked = number.session, b"%d" % number.sequence, b"%d" % ack
    deadline_ms = b"%d" % number.deadline_ms
    return b"*5\r\n$8\r\nPNYX.SEQ\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (
        len(session), session, len(sequence), sequence, len(acked), acked,
        len(deadline_ms), deadline_ms,
    )  # fmt: skip


def _joined(words: Words, before: bytes) -> bytes:
    parts = [before, b"*%d\r\n" % len(words)]
    for raw in map(raw_of, words):
        parts += (b"$%d\r\n" % len(raw), raw, b"\r\n")
    return b"".join(parts)


def check(words: Words) -> None:
    """Raise TypeError if a word is none of `Value`."""
    for word in words:
        if not isinstance(word, bytes):
            raw_of(word)


def raw_of(word: object) -> bytes:
    """Return a word's bytes on the wire.

    Raises:
        TypeError: it is none of `Value`.
    """
    if isinstance(word, bytes):
        return word
    if isinstance(word, str):
        return word.encode(errors="surrogateescape")
    if isinstance(word, bytearray | memoryview):
        return bytes(word)
    if isinstance(word, int | float) and not isinstance(word, bool):
        return repr(word).encode()
    raise TypeError(f"a {type(word).__name__} is no key, value or argument; convert it to bytes")


def reader(*, decode: bool) -> hiredis.Reader:
    """Return a parser of replies; with `decode` texts come as str."""
    if decode:
        return hiredis.Reader(encoding="utf-8", errors="surrogateescape")
    return hiredis.Reader()
