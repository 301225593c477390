"""Glob patterns as Redis matches keys with them (util.c, stringmatchlen), without its blow-up.

Redis recurses at every ``*`` and can be made to try exponentially many ways (CVE-2022-36021). Here
a pattern becomes a regular expression in which what stands between two stars is taken at its first
place and never reconsidered (an atomic group). That is enough: such a part has a fixed length, so a
later place never lets more follow. The work is at most pattern times key.
"""

import re
from collections.abc import Callable
from typing import Any, Final

PATTERN_BYTES_MAX: Final = 1_024
"""Longer patterns are refused: compiling one takes time in proportion."""

_STAR: Final = b"*"


def matcher(pattern: bytes) -> Callable[[bytes], Any]:
    """Return a function that gives None for a key which does not match."""
    assert len(pattern) <= PATTERN_BYTES_MAX, "the caller refuses longer ones"
    if pattern.startswith(b"**") and not pattern.strip(_STAR):
        # Redis' loop does not begin with an empty key; only a single star is a case of its own.
        return re.compile(b".", re.DOTALL).match
    parts: list[list[bytes]] = [[]]
    at = 0
    while at < len(pattern):
        byte = pattern[at : at + 1]
        if byte == _STAR:
            parts.append([])
            at += 1
        elif byte == b"?":
            parts[-1].append(b".")
            at += 1
        elif byte == b"[":
            one, at = _class(pattern, at + 1)
            parts[-1].append(one)
        else:
            if byte == b"\\" and at + 1 < len(pattern):
                at += 1
            parts[-1].append(re.escape(pattern[at : at + 1]))
            at += 1
    return re.compile(_expression([b"".join(part) for part in parts]), re.DOTALL).match


def _expression(parts: list[bytes]) -> bytes:
    if len(parts) == 1:
        return parts[0] + rb"\Z"
    between = b"".join(b"(?>.*?" + part + b")" for part in parts[1:-1] if part)
    return parts[0] + between + b".*" + parts[-1] + rb"\Z"


def _class(pattern: bytes, at: int) -> tuple[bytes, int]:
    """Return the expression for the class whose inside starts at `at`, and where it ended."""
    negated = pattern[at : at + 1] == b"^"
    at += negated
    members: set[int] = set()
    while at < len(pattern) and pattern[at] != 0x5D:
        left = len(pattern) - at
        if pattern[at] == 0x5C and left >= 2:
            members.add(pattern[at + 1])
            at += 2
        elif left >= 3 and pattern[at + 1] == 0x2D:
            members.update(_range(pattern[at], pattern[at + 2]))
            at += 3
        else:
            members.add(pattern[at])
            at += 1
    # An unclosed class ends with the pattern, as in Redis.
    if not members:
        return (b"." if negated else b"(?!)"), at + 1
    return (b"[^" if negated else b"[") + _runs(sorted(members)) + b"]", at + 1


def _runs(members: list[int]) -> bytes:
    """Return members as ranges: a class of 256 bytes then compiles as fast as one of two."""
    runs: list[list[int]] = []
    for member in members:
        if runs and runs[-1][1] == member - 1:
            runs[-1][1] = member
        else:
            runs.append([member, member])
    return b"".join([b"\\x%02x-\\x%02x" % (low, high) for low, high in runs])


def _range(first: int, last: int) -> list[int]:
    # Redis compares plain chars, which are signed on the machines it is mostly built for.
    low, high = sorted((_signed(first), _signed(last)))
    return [member & 0xFF for member in range(low, high + 1)]


def _signed(byte: int) -> int:
    return byte - 256 if byte >= 128 else byte
