"""How a value that grew by appends came about: which write put which part of it there."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Write:
    """A put or an append that could have part in a value."""

    number: int
    is_put: bool
    text: bytes
    called: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A value that a client was told."""

    number: int
    text: bytes
    until: int
    """Position of the return: a write that was called later has no part in it."""


@dataclass(slots=True)
class Origin:
    """The writes behind a value: a put (or the initial value), then appends, in this order."""

    writes: tuple[int, ...] = ()
    is_only: bool = True
    """No other writes could have made the value."""
    explained_bytes: int = 0
    """How much of it, from its beginning, writes of the history explain."""
    is_whole: bool = False


@dataclass(slots=True)
class _Index:
    """Writes by their text, and which lengths there are."""

    lengths: list[int] = field(default_factory=list)
    by_text: dict[bytes, list[Write]] = field(default_factory=dict)

    def add(self, write: Write) -> None:
        if len(write.text) not in self.lengths:
            self.lengths.append(len(write.text))
        self.by_text.setdefault(write.text, []).append(write)

    def at(self, text: bytes, offset: int) -> list[Write]:
        """Return the writes whose text stands there."""
        found: list[Write] = []
        for length in self.lengths:
            if 0 < length <= len(text) - offset:
                found += self.by_text.get(text[offset : offset + length], ())
        return found


@dataclass(slots=True)
class _Chain:
    """The longest value met so far on one base, and the only writes that make it."""

    text: bytes = b""
    writes: list[Write] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)


class Origins:
    """Finds the origin of values; only texts that nobody else wrote have an only one.

    Values that were read grow out of one another, so each is explained from where the one before
    it ended: linear in the bytes of the longest, not of all of them.
    """

    def __init__(self, writes: Sequence[Write], start: bytes) -> None:
        self._start = start
        self._puts = [write for write in writes if write.is_put]
        self._appends = _Index()
        self._chains: dict[int, _Chain] = {}
        for write in writes:
            if not write.is_put:
                self._appends.add(write)
        self._appends.lengths.sort()

    def of(self, seen: Seen) -> Origin:
        """Return where the value comes from, or how far it could be explained."""
        ways = [
            self._grown(put, put.text, seen)
            for put in self._puts
            if put.called < seen.until and seen.text.startswith(put.text)
        ]
        if seen.text.startswith(self._start):
            ways.append(self._grown(None, self._start, seen))
        whole = [way for way in ways if way.is_whole]
        if not whole:
            best = max(ways, key=lambda way: way.explained_bytes, default=Origin())
        else:
            best = whole[0]
        # A way that ended early may have chosen the wrong one of two texts.
        best.is_only = len(whole) < 2 and all(way.is_only for way in ways)
        return best

    def _grown(self, put: Write | None, base: bytes, seen: Seen) -> Origin:
        writes = self._from_chain(put, base, seen.text)
        if writes is None:
            return self._searched(put, base, seen)
        known = [] if put is None else [put]
        explained = len(base)
        for write in writes:
            if write.called > seen.until:
                return Origin(_numbers(known), is_only=True, explained_bytes=explained)
            known.append(write)
            explained += len(write.text)
        return Origin(_numbers(known), is_only=True, explained_bytes=explained, is_whole=True)

    def _from_chain(self, put: Write | None, base: bytes, text: bytes) -> list[Write] | None:
        """Return the only appends that make `text` of `base`; None if it is not that simple."""
        chain = self._chains.setdefault(-1 if put is None else put.number, _Chain(base))
        if chain.text.startswith(text):
            at = bisect_left(chain.ends, len(text))
            if len(text) == len(base):
                return []
            if at < len(chain.ends) and chain.ends[at] == len(text):
                return chain.writes[: at + 1]
            return None
        if not text.startswith(chain.text):
            return None
        used = {write.number for write in chain.writes}
        while len(chain.text) < len(text):
            there = self._appends.at(text, len(chain.text))
            if len(there) != 1 or there[0].number in used:
                return None
            used.add(there[0].number)
            chain.writes.append(there[0])
            chain.text = text[: len(chain.text) + len(there[0].text)]
            chain.ends.append(len(chain.text))
        return list(chain.writes)

    def _searched(self, put: Write | None, base: bytes, seen: Seen) -> Origin:
        writes = [] if put is None else [put]
        used = {write.number for write in writes}
        offset = len(base)
        is_only = True
        while offset < len(seen.text):
            there = self._appends.at(seen.text, offset)
            there = [write for write in there if write.called < seen.until]
            fresh = [write for write in there if write.number not in used]
            is_only = is_only and len(there) < 2
            if not fresh:
                return Origin(_numbers(writes), is_only, offset)
            writes.append(fresh[0])
            used.add(fresh[0].number)
            offset += len(fresh[0].text)
        return Origin(_numbers(writes), is_only, offset, is_whole=True)


def _numbers(writes: Sequence[Write]) -> tuple[int, ...]:
    return tuple(write.number for write in writes)
