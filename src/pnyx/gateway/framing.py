"""From chunks of a socket to commands: hiredis for what it surely reads as Redis does.

hiredis reads *replies*. It is fast, and unsafe on hostile input: it reserves memory for counts
that were only promised, and takes types that no request has. So it gets a chunk only if

1. we are exactly between two commands, and the chunk starts with ``*``;
2. no count in it has four digits or more;

and what comes out counts only if each word came in as a bulk string and nothing is left over.
Everything else, unfinished commands and inline ones included, goes to the exact parser. A short
command that comes alone, as most do, needs neither: to cut it at its line ends is faster still.
"""

import re
from typing import Final

import hiredis

from pnyx.transport.resp import ProtocolFault, RequestLimits, RequestParser

_BIG_COUNT: Final = re.compile(rb"\*\d{4}")

_OTHER_TYPE: Final = re.compile(rb"\r\n[-+:_#,(!=%~>|]")
"""Where something else than a bulk string or an array may begin; or a word that looks like it."""

LONE_BYTES_MAX: Final = 4096
"""Of a chunk that `lone_commands` looks at."""

_LONE_LINES_MAX: Final = 32
"""The prefix of a session, which has at most 13, and a command of nine words."""

_LINES: Final = {b"*%d" % count: 1 + 2 * count for count in range(1, 10)}
"""By the first line of a command, how many it has in all if no word has a line end."""

_LENGTHS: Final = tuple(b"$%d" % size for size in range(LONE_BYTES_MAX))
"""The line before a word, by the word's length."""

LONG_BYTES: Final = 32 * 1024
"""A chunk this long is mostly one word, or begins so many commands that two of them, a session's
number and its command, may take the slow way: to look through a word costs more."""

COMMANDS_AT_ONCE: Final = 1024
"""What the exact parser, which is slow, gives before others get a turn; ``feed(b"")`` goes on."""

_PROBE: Final = b":1\r\n"
"""hiredis does not say whether it is between two values. An integer fed after the chunk comes
back as itself only there."""


class Framing:
    """One connection's way from bytes to words."""

    def __init__(self, limits: RequestLimits) -> None:
        self._exact = RequestParser(limits)
        self._fast = hiredis.Reader(notEnoughData=None)
        self.fault: str | None = None
        """Why the connection must be closed after the commands that came before it."""

    @property
    def buffered_bytes(self) -> int:
        """Bytes of an unfinished command."""
        return self._exact.buffered_bytes

    @property
    def is_idle(self) -> bool:
        """Is nothing held back, nor anything wrong?"""
        return self._exact.is_idle and self.fault is None

    def set_limits(self, limits: RequestLimits) -> None:
        """Change what the next commands may be."""
        self._exact.limits = limits

    def feed(self, chunk: bytes) -> list[list[bytes]]:
        """Return commands that `chunk` completes: all, or so many that `is_idle` is False after it.

        After `fault` is set, feed no more.
        """
        exact = self._exact
        first: list[list[bytes]] = []
        if not exact.is_idle or (len(chunk) > LONG_BYTES and chunk.startswith(b"*")):
            first, chunk = self._finish(chunk)
            if not chunk:
                return first
        if (
            not exact.limits.authenticated
            or not chunk.startswith(b"*")
            or _BIG_COUNT.search(chunk) is not None
        ):
            commands = self._all_exactly(chunk)
        else:
            commands = self._all_fast(chunk)
        return first + commands if first else commands

    def next_command(self) -> list[bytes] | None:
        """Return one command at a time, for a client whose limits change when it logs in."""
        try:
            return self._exact.next_command()
        except ProtocolFault as fault:
            self.fault = fault.text
            return None

    def add(self, chunk: bytes) -> None:
        """Add bytes without taking commands out."""
        self._exact.feed(chunk)

    def _finish(self, chunk: bytes) -> tuple[list[list[bytes]], bytes]:
        """Return the command that was unfinished and one more, or what is complete of them now.

        Behind them comes the rest of `chunk`; while one of them is unfinished the rest is kept.
        """
        self._exact.feed(chunk)
        commands: list[list[bytes]] = []
        while (command := self.next_command()) is not None:
            commands.append(command)
            if len(commands) == 2:
                return commands, self._exact.rest()
        return commands, b""

    def _all_exactly(self, chunk: bytes) -> list[list[bytes]]:
        self._exact.feed(chunk)
        commands: list[list[bytes]] = []
        while len(commands) < COMMANDS_AT_ONCE and (command := self.next_command()) is not None:
            commands.append(command)
        return commands

    def _all_fast(self, chunk: bytes) -> list[list[bytes]]:
        commands: list[list[bytes]] = []
        found = None
        reader = self._fast
        try:
            reader.feed(chunk)
            reader.feed(_PROBE)
            following = reader.gets
            while (found := following()).__class__ is list:
                commands.append(found)
        except Exception:
            # ProtocolError, TypeError, MemoryError: the exact parser decides what it is.
            found = None
        if found.__class__ is int and not reader.has_data() and _are_bulks(chunk, commands):
            return commands if all(commands) else [command for command in commands if command]
        self._fast = hiredis.Reader(notEnoughData=None)
        proven, consumed = _proven(commands, chunk)
        return proven + self._all_exactly(chunk[consumed:])


def lone_commands(chunk: bytes) -> list[list[bytes]] | None:
    """Return the commands if `chunk`, up to `LONE_BYTES_MAX`, is exactly one or two short ones.

    Else None, and it is to be fed. For a client that is logged in, between two commands.
    """
    lines = chunk.split(b"\r\n", _LONE_LINES_MAX)
    if lines.pop():
        return None
    commands: list[list[bytes]] = []
    at = 0
    while at < len(lines):
        end = at + _LINES.get(lines[at], 0)
        words = lines[at + 2 : end : 2]
        at += 1
        for word in words:
            # A word with a line end in it, as well as anything that is no bulk string, fails here.
            if lines[at] != _LENGTHS[len(word)]:
                return None
            at += 2
        if at != end:
            return None
        commands.append(words)
    return commands if 0 < len(commands) <= 2 else None


def _are_bulks(chunk: bytes, commands: list[list[bytes]]) -> bool:
    """Return whether `chunk` holds arrays of bulk strings and nothing else, these commands."""
    lines = 0
    try:
        for words in commands:
            if b"\r" in b"".join(words):
                return _proven(commands, chunk)[1] == len(chunk)
            lines += 1 + 2 * len(words)
    except TypeError:
        return False
    # Like Redis, hiredis takes any two bytes for the end of a bulk string. Another type behind two
    # that are no line's end is not seen below.
    if chunk.count(b"\r\n") != lines:
        return False
    if _OTHER_TYPE.search(chunk) is None:
        return True
    # A word looks like another type (":1:name" is usual), or there is one. The marks tell, if no
    # word looks like a mark: then as many as there are words and commands belong to these.
    words = [word for command in commands for word in command]
    if any(word[:1] in {b"$", b"*"} or b"\r\n$" in word or b"\r\n*" in word for word in words):
        return False
    has_all_words = chunk.count(b"\r\n$") == len(words)
    return has_all_words and chunk.count(b"\r\n*") == len(commands) - 1


def _proven(commands: list[list[bytes]], chunk: bytes) -> tuple[list[list[bytes]], int]:
    """Return the commands whose canonical bytes open `chunk`, and how many bytes these are."""
    consumed = 0
    for at, words in enumerate(commands):
        if not all(word.__class__ is bytes for word in words):
            return commands[:at], consumed
        pieces = [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
        canonical = b"*%d\r\n%b" % (len(words), b"".join(pieces))
        if not words or not chunk.startswith(canonical, consumed):
            return commands[:at], consumed
        consumed += len(canonical)
    return commands, consumed
