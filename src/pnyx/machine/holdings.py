"""Which shards a group has, what is in them, and what changes while one is on its way out.

A group of a divided keyspace keeps a row for each shard there is. Rule by rule:

1. A command is checked when it is applied: a key of a shard that is not served here gets
   `WRONG_SHARD` and no effect, however long its entry was on its way.
2. The number of keys and the sum of the rows' hashes are kept with every change, so that comparing
   two copies of a shard costs nothing at the moment when nobody may wait.
3. While a shard is exported, each command's changes of it are written down as rows: absolute, in
   order, deletions and expiries too.
4. `floor` only grows: what belongs to an attempt below it does nothing any more.

Expiry and deadline rows follow from the others. Those of a shard that went away stay behind, and
are found to mean nothing when their time comes: to look for them would take as long as the shard
is large.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Any, Final, get_args

import msgspec
from xxhash import xxh3_64_intdigest

from pnyx.ids import Epoch, GroupId, Revision, ShardId
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
from pnyx.machine.moves import Effect, Frozen
from pnyx.machine.results import Refusal
from pnyx.machine.rows import (
    EXPIRING,
    KIND_CHANGE,
    KIND_DATA,
    KIND_SESSION,
    KIND_SHARD,
    PREFIX_BYTES,
    encode_row,
)
from pnyx.machine.shards import first_slot, shard_of_slot
from pnyx.machine.slots import EVERY_SLOT, SLOT_SHIFT, slot_of
from pnyx.machine.space import Space

LAG_BYTES_MAX: Final = 256 * 1024 * 1024
"""Of changes that the destination has not committed: above it the attempt is given up."""

WRONG_SHARD: Final = Refusal(
    "WRONGSHARD this group does not serve the key's shard: nothing was done"
)
CLEAR: Final = KIND_DATA
"""The key of an effect that deletes all keys of a shard."""
COPIED: Final = KIND_SHARD
"""The cursor above all rows of a shard."""

_MASK: Final = (1 << 64) - 1
_DATA: Final = KIND_DATA[0]
_SESSION: Final = KIND_SESSION[0]
_KEY_FIELDS: Final = ("key", "keys", "source", "destination", "first", "second")
_NAMES: Final = {
    kind: tuple([name for name in _KEY_FIELDS if name in kind.__struct_fields__])
    for kind in get_args(AnyCommand)
    if issubclass(kind, Command)
}
"""By type of command, the fields that name keys."""
_ONE_KEY: Final = frozenset(kind for kind, names in _NAMES.items() if names == ("key",))


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
    """Of the last change."""
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


class Logged(msgspec.Struct, frozen=True, array_like=True):
    """One change in the change log."""

    bytes_so_far: int
    """Of all changes of this attempt up to this one."""
    effects: tuple[Effect, ...]


_decode_shard: Final = msgspec.msgpack.Decoder(Shard).decode
decode_logged: Final = msgspec.msgpack.Decoder(Logged).decode


class Changed(dict[bytes, bytes | None]):
    """Rows that change, and what those that count were before the command."""

    def __init__(self, stored: Any) -> None:
        super().__init__()
        self.before: dict[bytes, bytes | None] = {}
        self._stored = stored

    def __setitem__(self, row_key: bytes, row: bytes | None) -> None:
        kind = row_key[PREFIX_BYTES]
        if kind in {_DATA, _SESSION} and row_key not in self.before:
            held = self.get(row_key, b"")
            self.before[row_key] = self._stored(row_key) if held == b"" else held
        super().__setitem__(row_key, row)


class Holdings:
    """The shards of one generation."""

    __slots__ = ("_changed", "_dirty", "_prefix", "_space", "count", "shards")

    def __init__(self, space: Space, prefix: bytes, count: int) -> None:
        self._space = space
        self._prefix = prefix
        self.count = count
        """How many shards there are."""
        self.shards = [Shard() for _ in range(count)]
        for row_key, row in space.scan(prefix + KIND_SHARD, prefix + KIND_CHANGE):
            self.shards[int.from_bytes(row_key[-2:], "big")] = _decode_shard(row)
        self._dirty: dict[int, None] = {}
        self._changed: dict[int, list[Effect]] = {}

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

    def hides(self, suffix: bytes) -> bool:
        """Is a row with this suffix no client's business?"""
        return self.shards[self.shard_of(suffix)].phase is Phase.IMPORTING

    def is_elsewhere(self, command: AnyCommand) -> bool:
        """Does the command ask for a key that is not served here?"""
        if type(command) in _ONE_KEY:
            slot = slot_of(command.key)  # type: ignore[union-attr]
            return not self.shards[shard_of_slot(slot, self.count)].served
        ranges = ranges_of(command)
        if ranges and not all(self.shards[shard].served for shard in self.in_ranges(ranges)):
            return True
        return any(
            not self.shards[shard_of_slot(slot, self.count)].served for slot in slots_of(command)
        )

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
        """Return a shard that is about to be changed: its row is written with this entry."""
        self._dirty[shard] = None
        return self.shards[shard]

    def account(self, *changes: dict[bytes, bytes | None], revision: int) -> list[Effect]:
        """Take note of what one command, or the sweep, did to rows; return the change log's rows.

        Nothing may look at `Changed.before` after this.
        """
        for rows in changes:
            assert isinstance(rows, Changed), "rows of a divided keyspace are watched"
            for row_key, old in rows.before.items():
                new = rows.get(row_key)
                if old != new:
                    self._count(row_key, old, new, revision)
            rows.before.clear()
        return self._logged()

    def cleared(self, shard: int, revision: int) -> list[Effect]:
        """Take note that all keys of a shard were deleted; return the change log's rows."""
        held = self.touch(shard)
        held.keys = held.expiring = held.data_sum = 0
        held.revision = Revision(revision)
        if held.phase is Phase.EXPORTING:
            self._changed[shard] = [(CLEAR, None)]
        return self._logged()

    def take_rows(self) -> Iterable[tuple[bytes, bytes]]:
        """Return the rows of the shards that changed, and start with none again."""
        dirty, self._dirty = self._dirty, {}
        return [
            (
                self._prefix + KIND_SHARD + shard.to_bytes(2, "big"),
                encode_row(self.shards[shard]),
            )
            for shard in dirty
        ]

    def _count(self, row_key: bytes, old: bytes | None, new: bytes | None, revision: int) -> None:
        key = row_key[PREFIX_BYTES:]
        is_data = key[0] == _DATA
        shard = self.shard_of(key[1:3]) if is_data else int.from_bytes(key[1:3], "big")
        held = self.touch(shard)
        change = _hash(key, new) - _hash(key, old)
        if is_data:
            held.data_sum = (held.data_sum + change) & _MASK
            held.keys += (new is not None) - (old is not None)
            held.expiring += _expires(new) - _expires(old)
        else:
            held.session_sum = (held.session_sum + change) & _MASK
        if held.phase is not Phase.IMPORTING:
            held.revision = Revision(revision)
        if held.phase is Phase.EXPORTING:
            self._changed.setdefault(shard, []).append((key, new))

    def _logged(self) -> list[Effect]:
        rows: list[Effect] = []
        for shard, effects in self._changed.items():
            held = self.shards[shard]
            held.changes += 1
            held.logged_bytes += sum(len(key) + len(row or b"") for key, row in effects)
            row = encode_row(Logged(held.logged_bytes, tuple(effects)))
            rows.append((self.change_key(shard, held.changes), row))
        self._changed = {}
        return rows

    def overdrawn(self) -> list[ShardId]:
        """Return the shards whose destination is too far behind, ascending."""
        return [
            ShardId(shard)
            for shard in sorted(self._dirty)
            if self.shards[shard].phase is Phase.EXPORTING
            and self.shards[shard].logged_bytes - self.shards[shard].forgotten_bytes > LAG_BYTES_MAX
        ]


def slots_of(command: AnyCommand) -> list[int]:
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


def ranges_of(command: AnyCommand) -> Ranges:
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


def _hash(key: bytes, row: bytes | None) -> int:
    return 0 if row is None else xxh3_64_intdigest(row, xxh3_64_intdigest(key))


def _expires(row: bytes | None) -> bool:
    return row is not None and row[0] == EXPIRING
