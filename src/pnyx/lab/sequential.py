"""The key-value machine as one dictionary, and which value each key had after which entry.

Written apart from the real machine, so that it can judge it. Time is what the entries' stamps say:
a key is gone from the first entry on whose stamp is not before its deadline. Commands that the
dictionary does not know are replayed by a real machine beside it from then on.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, Final, NamedTuple

from pnyx.ids import Index
from pnyx.lab.invariants.record import Record
from pnyx.lab.invariants.reference import Reference
from pnyx.lab.remembered import Remembered
from pnyx.machine.commands import (
    AnyCommand,
    Append,
    Batch,
    Condition,
    Del,
    Exists,
    Get,
    IncrBy,
    MGet,
    Sequenced,
    Set,
    SetNx,
    Tick,
    Ttl,
)
from pnyx.machine.results import Result, Status, Values
from pnyx.machine.shards import SHARDS_DEFAULT
from pnyx.machine.transactions import KEYS

_OK: Final = Status(b"OK")
_INTEGER_BYTES_MAX: Final = 18
"""Longer ones may overflow: the real machine knows."""


STAYS: Final = -1
GONE: Final = -2
"""In place of a deadline: a key without one, and no key."""


class Unmodelled(Exception):
    """The dictionary does not know what this command does."""


class Seen(NamedTuple):
    """What a read was told of one key."""

    key: bytes
    told: Result
    is_deadline: bool = False
    """Was it asked when the key goes (ms since 1970; -1 never, -2 no key), not for its value?"""


@dataclass(slots=True)
class _Versions:
    indexes: list[int] = field(default_factory=lambda: [0])
    values: list[bytes | None] = field(default_factory=lambda: [None])
    deadlines: list[int] = field(default_factory=lambda: [GONE])

    def put(self, index: int, value: bytes | None, deadline_ms: int) -> None:
        if self.values[-1] == value and self.deadlines[-1] == deadline_ms:
            return
        if self.indexes[-1] == index:
            # Only what an entry leaves behind can be seen.
            self.values[-1] = value
            self.deadlines[-1] = deadline_ms
        else:
            self.indexes.append(index)
            self.values.append(value)
            self.deadlines.append(deadline_ms)

    def find(self, seen: Seen, low: int, high: int) -> int | None:
        held: Sequence[Result] = self.deadlines if seen.is_deadline else self.values
        at = bisect_right(self.indexes, low) - 1
        while at < len(self.indexes) and self.indexes[at] <= high:
            if held[at] == seen.told:
                return max(self.indexes[at], low)
            at += 1
        return None


class Sequential:
    """One after the other, in the order of the agreed log."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._values: dict[bytes, bytes] = {}
        self._versions: dict[bytes, _Versions] = {}
        self._deadlines: dict[bytes, int] = {}
        """When keys go, ms since 1970; who stays is not here."""
        self._due: list[tuple[int, bytes]] = []
        """A heap of the same and of what they were before."""
        self.clock_ms = 0
        """The newest stamp: the committed clock."""
        self.sessions = Remembered()
        self._index = 0
        self._machine: Reference | None = None

    def apply(self, index: int, batch: Batch) -> Sequence[Result]:
        """Do what the agreed entry at `index` says; return one result a command."""
        self._index = index
        if self._machine is None:
            self._let_time_pass(batch.stamp_ms)
            try:
                return [self.do(command, batch.value_bytes_max) for command in batch.commands]
            except Unmodelled:
                self._machine = Reference(
                    self._record.membership_at(Index(0)), KEYS, SHARDS_DEFAULT
                )
        return self._replay(self._machine, index, batch.commands)

    def find(self, seen: Sequence[Seen], low: int, high: int) -> int | None:
        """Return the first entry from `low` to `high` after which all keys had those values."""
        position = low
        settled = False
        while not settled:
            settled = True
            for each in seen:
                held = self._versions.get(each.key) or _Versions()
                found = held.find(each, position, high)
                if found is None:
                    return None
                settled = settled and found == position
                position = found
        return position

    @property
    def keys(self) -> list[bytes]:
        """Every key that was ever written."""
        return list(self._versions)

    def changed(self, key: bytes, low: int) -> bool:
        """Did `key` change after the entry at `low`?"""
        held = self._versions.get(key)
        return held is not None and held.indexes[-1] > low

    def history(self, seen: Seen, low: int) -> list[tuple[int, Result]]:
        """Return from which entry on that key had what, beginning with what it had at `low`."""
        held = self._versions.get(seen.key) or _Versions()
        told: Sequence[Result] = held.deadlines if seen.is_deadline else held.values
        first = bisect_right(held.indexes, low) - 1
        return list(zip(held.indexes[first:], told[first:], strict=True))

    def _let_time_pass(self, stamp_ms: int) -> None:
        self.clock_ms = max(self.clock_ms, stamp_ms)
        while self._due and self._due[0][0] <= self.clock_ms:
            deadline_ms, key = heappop(self._due)
            if self._deadlines.get(key) == deadline_ms:
                self.put(key, None)

    def do(self, command: AnyCommand, value_bytes_max: int) -> Result:
        """Return what `command` is answered here.

        Raises:
            Unmodelled: nobody here knows.
        """
        do = _DO.get(type(command))
        if do is None:
            raise Unmodelled
        return do(self, command, value_bytes_max)

    def put(self, key: bytes, value: bytes | None, deadline_ms: int = STAYS) -> None:
        """Let `key` have `value` from the present entry on; None: it is gone."""
        if value is None:
            self._values.pop(key, None)
            deadline_ms = GONE
        else:
            self._values[key] = value
        if deadline_ms > 0:
            self._deadlines[key] = deadline_ms
            heappush(self._due, (deadline_ms, key))
        else:
            self._deadlines.pop(key, None)
        versions = self._versions.get(key)
        if versions is None:
            versions = self._versions[key] = _Versions()
        versions.put(self._index, value, deadline_ms)

    def deadline_ms(self, key: bytes) -> int:
        """Return when `key` goes, or `STAYS`; what is not there yet stays, too."""
        return self._deadlines.get(key, STAYS)

    def get(self, key: bytes) -> bytes | None:
        """Return the present value of `key`."""
        return self._values.get(key)

    def _replay(
        self, machine: Reference, index: int, commands: Sequence[AnyCommand]
    ) -> Sequence[Result]:
        results: Sequence[Result] = ()
        while machine.index < index:
            results = machine.apply(self._record.entries[machine.index])
        for key in _keys_of(commands):
            self._versions.setdefault(key, _Versions())
        held = machine.values(list(self._versions))
        for versions, (value, deadline_ms) in zip(self._versions.values(), held, strict=True):
            versions.put(index, value, deadline_ms)
        return results


def _keys_of(commands: Iterable[AnyCommand]) -> Iterable[bytes]:
    for command in commands:
        if isinstance(command, Sequenced):
            yield from _keys_of((command.command,))
        for name in ("key", "source", "destination"):
            if hasattr(command, name):
                yield getattr(command, name)
        yield from getattr(command, "keys", ())
        yield from (key for key, _ in getattr(command, "pairs", ()))
        yield from _keys_of(getattr(command, "commands", ()))


def _set(model: Sequential, command: Set, _limit: int) -> Result:
    before, expiry = model.get(command.key), command.expiry
    if command.condition not in _IS_MET or command.keep_ttl:
        raise Unmodelled
    if expiry is not None and (not expiry.relative or expiry.ms <= 0):
        raise Unmodelled
    if not _IS_MET[command.condition](before, command.comparand):
        return before if command.get else None
    deadline_ms = STAYS if expiry is None else model.clock_ms + expiry.ms
    model.put(command.key, command.value, deadline_ms)
    return before if command.get else _OK


def _set_absent(model: Sequential, command: SetNx, _limit: int) -> Result:
    if model.get(command.key) is not None:
        return 0
    model.put(command.key, command.value)
    return 1


def _append(model: Sequential, command: Append, limit: int) -> Result:
    value = (model.get(command.key) or b"") + command.value
    if len(value) > limit:
        raise Unmodelled
    model.put(command.key, value, model.deadline_ms(command.key))
    return len(value)


def _increment(model: Sequential, command: IncrBy, _limit: int) -> Result:
    before = model.get(command.key)
    text = b"0" if before is None else before
    if len(text) > _INTEGER_BYTES_MAX or not text.removeprefix(b"-").isdigit():
        raise Unmodelled
    if text != b"%d" % int(text) or abs(command.delta) >> 60:
        raise Unmodelled
    after = int(text) + command.delta
    model.put(command.key, b"%d" % after, model.deadline_ms(command.key))
    return after


def _delete(model: Sequential, command: Del, _limit: int) -> Result:
    count = 0
    for key in command.keys:
        if model.get(key) is not None:
            count += 1
            model.put(key, None)
    return count


def _get(model: Sequential, command: Get, _limit: int) -> Result:
    return model.get(command.key)


def _get_many(model: Sequential, command: MGet, _limit: int) -> Result:
    return Values(tuple(model.get(key) for key in command.keys))


def _exists(model: Sequential, command: Exists, _limit: int) -> Result:
    return sum(model.get(key) is not None for key in command.keys)


def _when_it_goes(model: Sequential, command: Ttl, _limit: int) -> Result:
    if command.seconds or not command.absolute:
        raise Unmodelled
    return GONE if model.get(command.key) is None else model.deadline_ms(command.key)


def _once(model: Sequential, command: Sequenced, limit: int) -> Result:
    write = command.command
    return model.sessions.once(command, model.clock_ms, lambda: model.do(write, limit))


def _tick(_model: Sequential, _command: Tick, _limit: int) -> Result:
    return _OK


_IS_MET: Final[dict[Condition, Callable[[bytes | None, bytes | None], bool]]] = {
    Condition.ALWAYS: lambda _value, _comparand: True,
    Condition.ABSENT: lambda value, _comparand: value is None,
    Condition.PRESENT: lambda value, _comparand: value is not None,
    Condition.EQUAL: lambda value, comparand: value is not None and value == comparand,
    Condition.DIFFERENT: lambda value, comparand: value is None or value != comparand,
}

_DO: Final[dict[type, Callable[[Sequential, Any, int], Result]]] = {
    Set: _set,
    SetNx: _set_absent,
    Append: _append,
    IncrBy: _increment,
    Del: _delete,
    Get: _get,
    MGet: _get_many,
    Exists: _exists,
    Sequenced: _once,
    Tick: _tick,
    Ttl: _when_it_goes,
}
