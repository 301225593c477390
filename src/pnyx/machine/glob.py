"""Glob patterns as Redis matches keys with them (util.c, stringmatchlen), without its blow-up.

Redis recurses at every ``*`` and can be made to try exponentially many ways (CVE-2022-36021). Here
what stands between two stars is taken at its first place and never reconsidered. That is enough:
such a part has a fixed length, so a later place never lets more follow. Plain bytes are looked for
in time linear in the key (CPython's two-way search, Crochemore and Perrin 1991). A part with ``?``
or a class is a regular expression, which at worst compares its whole length at each place of the
key: `steps` says how much that may be before it is begun.
"""

import re
from typing import Final

PATTERN_BYTES_MAX: Final = 1_024
"""Longer patterns are refused: compiling one takes time in proportion."""

STEPS_MAX: Final = 10_000_000
"""Comparisons of parts with ``?`` or a class that one command may need: some 10 to 50 ms."""

_SPECIAL: Final = re.compile(rb"[?\[\\]")


class _Part:
    """What stands before, between or behind stars: bytes, or an expression of fixed length."""

    __slots__ = ("_looked_for", "size", "wild_size")

    def __init__(self, atoms: list[bytes], plain: bytes | None) -> None:
        self.size = len(atoms) if plain is None else len(plain)
        """Bytes of a key that it takes."""
        is_any = plain is None and all(atom == _ANY for atom in atoms)
        self.wild_size = 0 if plain is not None or is_any else self.size
        """Comparisons that it may take at each place of a key; 0 if one look is enough."""
        expression = b".{%d}" % self.size if is_any else b"".join(atoms)
        self._looked_for = re.compile(expression, re.DOTALL) if plain is None else plain

    def is_at(self, key: bytes, at: int) -> bool:
        """Does it match at this place?"""
        if isinstance(self._looked_for, bytes):
            return key.startswith(self._looked_for, at)
        return self._looked_for.match(key, at) is not None

    def end_after(self, key: bytes, at: int, end: int) -> int:
        """Return where its first match between `at` and `end` ends, or -1."""
        if isinstance(self._looked_for, bytes):
            found = key.find(self._looked_for, at, end)
            return -1 if found < 0 else found + self.size
        match = self._looked_for.search(key, at, end)
        return -1 if match is None else match.end()


class Glob:
    """One pattern of at most `PATTERN_BYTES_MAX` bytes, ready to be matched with many keys."""

    __slots__ = ("_between", "_first", "_last", "_least", "_steps_a_byte")

    def __init__(self, pattern: bytes) -> None:
        assert len(pattern) <= PATTERN_BYTES_MAX, "the caller refuses longer ones"
        parts = _parts(pattern)
        self._first = parts[0]
        self._last = parts[-1] if len(parts) > 1 else None
        self._between = [part for part in parts[1:-1] if part.size]
        self._least = sum(part.size for part in parts)
        if pattern.startswith(b"**") and not pattern.strip(b"*"):
            # Redis' loop does not begin with an empty key; only a single star is a case of its own.
            self._least = 1
        self._steps_a_byte = max((part.wild_size for part in self._between), default=0)

    def steps(self, key: bytes) -> int:
        """Return how many comparisons of `?` and classes the key may take at worst."""
        return len(key) * self._steps_a_byte

    def matches(self, key: bytes) -> bool:
        """Does the pattern match the whole key?"""
        size = len(key)
        if size < self._least or not self._first.is_at(key, 0):
            return False
        if self._last is None:
            return size == self._first.size
        end = size - self._last.size
        if not self._last.is_at(key, end):
            return False
        at = self._first.size
        for part in self._between:
            at = part.end_after(key, at, end)
            if at < 0:
                return False
        return True


_ANY: Final = b"."


def _parts(pattern: bytes) -> list[_Part]:
    if _SPECIAL.search(pattern) is None:
        return [_Part([], plain) for plain in pattern.split(b"*")]
    parts: list[_Part] = []
    atoms: list[bytes] = []
    plain: list[bytes] | None = []
    at = 0
    while at < len(pattern):
        byte = pattern[at : at + 1]
        at += 1
        if byte == b"*":
            parts.append(_Part(atoms, None if plain is None else b"".join(plain)))
            atoms, plain = [], []
        elif byte == b"?":
            atoms.append(_ANY)
            plain = None
        elif byte == b"[":
            one, at = _class(pattern, at)
            atoms.append(one)
            plain = None
        else:
            if byte == b"\\" and at < len(pattern):
                byte = pattern[at : at + 1]
                at += 1
            atoms.append(re.escape(byte))
            if plain is not None:
                plain.append(byte)
    parts.append(_Part(atoms, None if plain is None else b"".join(plain)))
    return parts


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
