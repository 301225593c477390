"""Which shards a group has, what is in them, and what changes while one is on its way out.

A group of a divided keyspace keeps a row for each shard there is (machine/rows.py). Rule by rule:

1. A command is checked when it is applied: a key of a shard that is not served here gets
   `WRONG_SHARD` and no effect, however long its entry was on its way.
2. The number of keys and the sum of the rows' hashes are kept with every entry, so that comparing
   two copies of a shard costs nothing at the moment when nobody may wait.
3. While a shard is exported, what each entry changes of it is written down as a row: absolute, in
   order, deletions and expiries too.
4. `floor` only grows: what belongs to an attempt below it does nothing any more.

Expiry and deadline rows follow from the others. Those of a shard that went away stay behind, and
are found to mean nothing when their time comes: to look for them would take as long as the shard
is large.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import IntEnum
from typing import Final, TypeAlias, get_args

import msgspec
from xxhash import xxh3_64_intdigest

from pnyx.ids import SLOT_COUNT, Epoch, GroupId, Revision, ShardId
from pnyx.machine.commands import (
    AnyCommand,
    Clock,
    Command,
    MSet,
    Ranges,
    Scan,
    Sequenced,
    SlotCount,
    SlotKeys,
    Transaction,
)
from pnyx.machine.directives import Directive
from pnyx.machine.moves import Effect, Frozen
from pnyx.machine.results import Refusal
from pnyx.machine.rows import (
    EXPIRING,
    KIND_CHANGE,
    KIND_DATA,
    KIND_END,
    KIND_RECENT,
    KIND_SESSION,
    KIND_SHARD,
    PREFIX_BYTES,
    encode_row,
)
from pnyx.machine.shards import first_slot, shard_of_slot
from pnyx.machine.slots import EVERY_SLOT, SLOT_SHIFT, slot_of
from pnyx.machine.space import Space

RECENT_COUNT_MAX: Final = 127
"""Entries whose shards are written together: a row each would be as much again as their keys."""
LAG_BYTES_MAX: Final = 256 * 1024 * 1024
"""Of changes that the destination has not committed: above it the attempt is given up."""
PASSED_COUNT_MAX: Final = 128
"""Rows that sleep and are not due which a look for what is due next passes over. Who is awake may
stand behind a million of them, and the loop must not wait until all are read."""

WRONG_SHARD: Final = Refusal(
    "WRONGSHARD this group does not serve the key's shard: nothing was done"
)
LATER: Final = Refusal(
    "LATER the commands before this one, in the same entry, had much to do: nothing was done"
)
CLEAR: Final = KIND_DATA
"""The key of an effect that deletes all keys of a shard."""
COPIED: Final = KIND_SHARD
"""The cursor above all rows of a shard."""

_MASK: Final = (1 << 64) - 1
_HIGH: Final = PREFIX_BYTES + 1
_LOW: Final = _HIGH + 1
"""Where the key of a row has the two bytes of its slot, or of its session's shard."""
_KEY_FIELDS: Final = ("key", "keys", "source", "destination", "first", "second")
_NAMES: Final = {
    kind: tuple([name for name in _KEY_FIELDS if name in kind.__struct_fields__])
    for kind in get_args(AnyCommand)
    if issubclass(kind, Command)
}
"""By type of command, the fields that name keys."""
ONE_KEY: Final = frozenset(kind for kind, names in _NAMES.items() if names == ("key",))


Rows: TypeAlias = Mapping[bytes, bytes | None]
"""Rows by key; None: there is none."""


class Phase(IntEnum):
    """What a group has of a shard."""

    AWAY = 0
    SERVING = 1
    EXPORTING = 2
    """Served, and on its way out."""
    FROZEN = 3
    """Not served and not changed any more; the destination may have it."""
    IMPORTING = 4
    """On its way in: clients see none of it."""


class Shard(msgspec.Struct, array_like=True):
    """One shard in one group."""

    phase: Phase = Phase.AWAY
    epoch: Epoch = Epoch(0)
    """In which it is served, or that of the attempt that it is or was in."""
    floor: Epoch = Epoch(0)
    """The highest epoch that is settled here; for ever."""
    partner: GroupId = GroupId(0)
    """The other group of the attempt."""
    keys: int = 0
    expiring: int = 0
    data_sum: int = 0
    session_sum: int = 0
    revision: Revision = Revision(0)
    """Source: the group's at the freeze."""
    changes: int = 0
    """Source: how many were written down. Destination: how many were done."""
    logged_bytes: int = 0
    """Of all changes that were written down."""
    forgotten_bytes: int = 0
    forgotten: int = 0
    """Changes up to here are dropped, for the destination has them."""
    cursor: bytes = b""
    """Destination: rows up to here are copied."""
    clock_ms: int = 0
    """Source: the group's time at the freeze."""
    outcome: tuple[Epoch, bool] | None = None
    """Destination: the last attempt that ended here, and was it activated?"""

    @property
    def served(self) -> bool:
        """May clients read and write it here?"""
        return self.phase in (Phase.SERVING, Phase.EXPORTING)

    @property
    def content(self) -> int:
        """The sum of the hashes of all its rows."""
        return (self.data_sum + self.session_sum) & _MASK

    def frozen(self) -> Frozen:
        """Return what a copy of it must be equal to."""
        return Frozen(self.revision, self.clock_ms, self.keys, self.content, self.changes)


_EXPORTING: Final = Phase.EXPORTING


class Logged(msgspec.Struct, frozen=True, array_like=True):
    """What one entry changed, in the change log."""

    bytes_so_far: int
    """Of all changes of this attempt up to this one."""
    effects: tuple[Effect, ...]


_decode_shard: Final = msgspec.msgpack.Decoder(Shard).decode
_decode_recent: Final = msgspec.msgpack.Decoder(dict[int, Shard]).decode
decode_logged: Final = msgspec.msgpack.Decoder(Logged).decode


class Holdings:
    """The shards of one generation."""

    __slots__ = (
        "_changed",
        "_dirty",
        "_overdrawn",
        "_prefix",
        "_recent",
        "_stale",
        "_touched",
        "count",
        "open",
        "shards",
    )

    def __init__(self, space: Space, prefix: bytes, count: int) -> None:
        self._prefix = prefix
        self.count = count
        """How many shards there are."""
        self.shards = [Shard() for _ in range(count)]
        for row_key, row in space.scan(prefix + KIND_SHARD, prefix + KIND_CHANGE):
            self.shards[int.from_bytes(row_key[-2:], "big")] = _decode_shard(row)
        self._recent = 0
        self._stale: dict[int, Shard] = {}
        """Those of the RECENT rows, which are as many as that."""
        for _, row in space.scan(prefix + KIND_RECENT, prefix + KIND_END):
            self._recent += 1
            self._stale.update(_decode_recent(row))
        for shard, held in self._stale.items():
            self.shards[shard] = held
        self._dirty: dict[int, Shard] = {}
        """Changed by this entry."""
        self._touched: set[int] = set(range(count))
        """Those that may be served no more, or again."""
        self._changed: dict[int, list[Effect]] = {}
        self._overdrawn: set[int] = set()
        self.open = bytearray(SLOT_COUNT)
        """By slot: 1 if it is served here, 0 if not."""
        self.settle()

    # What is here.

    def known(self, shard: ShardId) -> Shard | None:
        """Return what is here of a shard, None if there is none of that number."""
        return self.shards[shard] if 0 <= shard < self.count else None

    def shard_of(self, suffix: bytes) -> int:
        """Return the shard of a key by its suffix, which begins with its slot."""
        return shard_of_slot(int.from_bytes(suffix[:2], "big"), self.count)

    def sleeps(self, shard: int) -> bool:
        """May no sweep touch this shard?"""
        return self.shards[shard].phase in (Phase.FROZEN, Phase.IMPORTING)

    def awake(
        self, listed: Iterator[tuple[int, bytes]], shard_of: Callable[[bytes], int], clock_ms: int
    ) -> Iterator[tuple[int, bytes]]:
        """Yield (time, suffix) of those that a sweep may touch, `listed` by time.

        Behind `PASSED_COUNT_MAX` that are later than `clock_ms` and sleep all are told: they stand
        for the time at which to look again.
        """
        passed = 0
        for due_ms, suffix in listed:
            if self.sleeps(shard_of(suffix)):
                passed += due_ms > clock_ms
                if passed <= PASSED_COUNT_MAX:
                    continue
            yield due_ms, suffix

    def hides(self, suffix: bytes) -> bool:
        """Is a row with this suffix no client's business?"""
        return self.shards[self.shard_of(suffix)].phase is Phase.IMPORTING

    def is_elsewhere(self, command: AnyCommand | Directive) -> bool:
        """Does the command ask for a key that is not served here?"""
        if type(command) in ONE_KEY:
            return not self.open[slot_of(command.key)]  # type: ignore[union-attr]
        ranges = ranges_of(command)
        if ranges and not all(self.is_open(shard) for shard in self.in_ranges(ranges)):
            return True
        return not all(self.open[slot] for slot in slots_of(command))

    def in_ranges(self, ranges: Ranges) -> Iterable[ShardId]:
        """Yield the shards of all slots in `ranges`; of none, all shards there are."""
        for first, last in ranges or EVERY_SLOT:
            lower, upper = (shard_of_slot(slot, self.count) for slot in (first, last))
            yield from map(ShardId, range(lower, upper + 1))

    def data_range(self, shard: int) -> tuple[bytes, bytes]:
        """Return the bounds of the rows of a shard's keys."""
        head = self._prefix + KIND_DATA
        first, end = (first_slot(each, self.count) for each in (shard, shard + 1))
        return head + first.to_bytes(2, "big"), head + end.to_bytes(2, "big")

    def session_range(self, shard: int) -> tuple[bytes, bytes]:
        """Return the bounds of the rows of a shard's sessions."""
        head = self._prefix + KIND_SESSION
        return head + shard.to_bytes(2, "big"), head + (shard + 1).to_bytes(2, "big")

    def change_key(self, shard: int, number: int) -> bytes:
        """Return the key of a change of a shard."""
        return self._prefix + KIND_CHANGE + shard.to_bytes(2, "big") + number.to_bytes(8, "big")

    # What changes.

    def touch(self, shard: int) -> Shard:
        """Return a shard that is about to be changed: it is written with this entry."""
        held = self._dirty[shard] = self.shards[shard]
        self._touched.add(shard)
        return held

    def settle(self) -> None:
        """Open and close the slots of those that were touched."""
        for shard in self._touched:
            first, end = (first_slot(each, self.count) for each in (shard, shard + 1))
            self.open[first:end] = bytes([self.is_open(shard)]) * (end - first)
        self._touched.clear()

    def is_open(self, shard: int) -> bool:
        """Is an entry's command of this shard done?"""
        return self.shards[shard].served

    def account(self, before: Rows, rows: Rows) -> list[Effect]:
        """Take note of what became of keys' rows that were `before`; return the change log's rows.

        What was read and not changed may be among them.
        """
        shards, dirty, count = self.shards, self._dirty, self.count
        for row_key, old in before.items():
            new = rows.get(row_key, old)
            if new == old:
                continue
            # What shard_of_slot says: this is done for every key that is written.
            shard = (row_key[_HIGH] << 8 | row_key[_LOW]) * count >> 14
            held = dirty[shard] = shards[shard]
            key = row_key[PREFIX_BYTES:]
            seed = xxh3_64_intdigest(key)
            change = held.data_sum
            if new is None:
                held.keys -= 1
            else:
                change += xxh3_64_intdigest(new, seed)
                if new[0] == EXPIRING:
                    held.expiring += 1
            if old is None:
                held.keys += 1
            else:
                change -= xxh3_64_intdigest(old, seed)
                if old[0] == EXPIRING:
                    held.expiring -= 1
            held.data_sum = change & _MASK
            if held.phase is _EXPORTING:
                self._changed.setdefault(shard, []).append((key, new))
        return self._logged() if self._changed else []

    def account_sessions(self, before: Rows, rows: Rows) -> list[Effect]:
        """Take note of what became of sessions' rows; return the change log's rows."""
        shards, dirty = self.shards, self._dirty
        for row_key, old in before.items():
            new = rows.get(row_key, old)
            if new == old:
                continue
            shard = row_key[_HIGH] << 8 | row_key[_LOW]
            held = dirty[shard] = shards[shard]
            key = row_key[PREFIX_BYTES:]
            seed = xxh3_64_intdigest(key)
            change = held.session_sum
            if new is not None:
                change += xxh3_64_intdigest(new, seed)
            if old is not None:
                change -= xxh3_64_intdigest(old, seed)
            held.session_sum = change & _MASK
            if held.phase is _EXPORTING:
                self._changed.setdefault(shard, []).append((key, new))
        return self._logged() if self._changed else []

    def cleared(self, shard: int) -> list[Effect]:
        """Take note that all keys of a shard were deleted; return the change log's rows."""
        held = self.touch(shard)
        held.keys = held.expiring = held.data_sum = 0
        if held.phase is Phase.EXPORTING:
            self._changed[shard] = [(CLEAR, None)]
        return self._logged()

    def take_rows(self) -> dict[bytes, bytes | None]:
        """Return what an entry that is over writes of the shards that it changed."""
        dirty, self._dirty = self._dirty, {}
        if not dirty:
            return {}
        self._stale.update(dirty)
        if self._recent < RECENT_COUNT_MAX:
            self._recent += 1
            return {self._recent_key(self._recent): encode_row(dirty)}
        rows: dict[bytes, bytes | None] = {
            self._prefix + KIND_SHARD + shard.to_bytes(2, "big"): encode_row(held)
            for shard, held in self._stale.items()
        }
        for number in range(1, self._recent + 1):
            rows[self._recent_key(number)] = None
        self._stale, self._recent = {}, 0
        return rows

    def _recent_key(self, number: int) -> bytes:
        return self._prefix + KIND_RECENT + number.to_bytes(2, "big")

    def _logged(self) -> list[Effect]:
        rows: list[Effect] = []
        for shard, effects in self._changed.items():
            held = self.shards[shard]
            held.changes += 1
            held.logged_bytes += sum(len(key) + len(row or b"") for key, row in effects)
            row = encode_row(Logged(held.logged_bytes, tuple(effects)))
            rows.append((self.change_key(shard, held.changes), row))
            if held.logged_bytes - held.forgotten_bytes > LAG_BYTES_MAX:
                self._overdrawn.add(shard)
        self._changed = {}
        return rows

    def take_overdrawn(self) -> list[ShardId]:
        """Return the shards whose destination is too far behind since this entry, ascending."""
        if not self._overdrawn:
            return []
        overdrawn, self._overdrawn = sorted(self._overdrawn), set()
        return [
            ShardId(shard) for shard in overdrawn if self.shards[shard].phase is Phase.EXPORTING
        ]


def slots_of(command: AnyCommand | Directive) -> list[int]:
    """Return the slots of all keys that a command names, watched ones too."""
    match command:
        case Transaction():
            inner = [slot for each in command.commands for slot in slots_of(each)]
            return inner + [slot_of(key) for key, _ in command.watched]
        case Sequenced():
            return [command.slot, *slots_of(command.command)]
        case MSet():
            return [slot_of(key) for key, _ in command.pairs]
        case SlotCount() | SlotKeys():
            return [command.slot]
        case Clock(slot) if slot is not None:
            return [slot]
        case _:
            pass
    slots: list[int] = []
    for name in _NAMES.get(type(command), ()):
        named = getattr(command, name)
        slots += map(slot_of, (named,) if isinstance(named, bytes) else named)
    return slots


def ranges_of(command: AnyCommand | Directive) -> Ranges:
    """Return the runs of slots of which a command asks for all keys, whatever they are."""
    match command:
        case Scan(cursor, last=int(last)):
            first = cursor >> SLOT_SHIFT
            return ((first, last),) if first <= last else ()
        case Transaction():
            return tuple([run for each in command.commands for run in ranges_of(each)])
        case Sequenced():
            return ranges_of(command.command)
        case _:
            ranges: Ranges = getattr(command, "ranges", ())
            return ranges


def hash_of(key: bytes, row: bytes | None) -> int:
    """Return what a row, by its key behind the generation, adds to the sum of its shard."""
    return 0 if row is None else xxh3_64_intdigest(row, xxh3_64_intdigest(key))
