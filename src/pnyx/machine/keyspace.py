"""The keys of one group as commands see them: applied state, and what this apply changes.

Rule 1. Nothing is written to the space here: changes gather in `rows` (and `flushed`), are seen
        by every later command, and leave together with the meta row (machine/group.py).
Rule 2. A key whose expiry is at or before `clock_ms`, the committed clock, is gone for everyone.
        While reading, one whose expiry lies in (clock_ms, estimate_ms] is gone by an estimate
        only: `met_due` says so, and the reader must ask the log instead.
Rule 3. `totals` are exact after every call: rows in the space plus changes.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from pnyx.ids import Revision, ShardId
from pnyx.machine import rows as layout
from pnyx.machine.holdings import Holdings
from pnyx.machine.overlay import Remaining, overlaid
from pnyx.machine.results import Refusal
from pnyx.machine.rows import (
    EXPIRING,
    KIND_DATA,
    KIND_EXPIRY,
    KIND_SESSION,
    PLAIN_BYTES,
    suffix_of,
)
from pnyx.machine.sessions import Sessions
from pnyx.machine.space import Reader, Space

SWEEP_COUNT_MAX: Final = 20
"""Due keys removed an entry, besides those its commands touch."""

TOLD_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of values and keys that one entry or one request tells, pipelines included: what a client
asks for in 20 bytes each must not be put together in memory without end."""
TOLD_REFUSED: Final = Refusal(
    f"ERR the values asked for together exceed {TOLD_BYTES_MAX} bytes: ask for fewer at a time"
)

NEVER_MS: Final = 1 << 64
"""Later than every expiry."""


class Record(NamedTuple):
    """A key that exists."""

    suffix: bytes
    value: bytes
    expire_ms: int
    """0 if it stays."""
    revision: Revision


class Keyspace:
    """Reads and changes the keys of one generation."""

    __slots__ = (
        "_data",
        "_expiries",
        "_expiries_end",
        "_expiry_floor",
        "_floor_is_exact",
        "_remaining",
        "_space",
        "_stored",
        "_stored_whole",
        "applying",
        "before",
        "clock_ms",
        "estimate_ms",
        "expiring",
        "flushed",
        "holdings",
        "key",
        "keys",
        "looked_bytes",
        "met_due",
        "prefix",
        "revision",
        "rows",
        "sessions",
        "suffix",
        "told_bytes",
        "value_bytes_max",
    )

    def __init__(
        self, space: Space, prefix: bytes, totals: layout.Totals, *, divided: bool = False
    ) -> None:
        self._remaining = Remaining(space) if divided else None
        self._space: Reader = self._remaining or space
        self._stored = self._stored_whole = space.get
        self.prefix = prefix
        self._data = prefix + KIND_DATA
        self._expiries = prefix + KIND_EXPIRY
        self._expiries_end = prefix + KIND_SESSION
        self.holdings = Holdings(space, prefix, totals.shards) if divided else None
        """Which shards are here; None if that is all there is."""
        self.sessions = Sessions(self._space, prefix, totals.shards, self.holdings)
        self.rows: dict[bytes, bytes | None] = {}
        """Changes by row key; None deletes."""
        self.before: dict[bytes, bytes | None] = {}
        """Of a divided keyspace: rows of keys as they were before the entry. Whatever is written
        was read first."""
        self.key, self.suffix = b"", suffix_of(b"")
        self.flushed = False
        """True if every row in the space is deleted before `rows` are put."""
        self.applying = False
        self.clock_ms = totals.clock_ms
        self.estimate_ms = totals.clock_ms
        self.looked_bytes = 0
        """Of rows of keys that the commands of the entry, or the request, looked at, each time, of
        the values that they made of them, and what took as long."""
        self.told_bytes = 0
        """Of values and keys that were told since the entry, or the request, began."""
        self.met_due = False
        self.keys = totals.keys
        self.expiring = totals.expiring
        self.revision: int = totals.revision
        self.value_bytes_max = 0
        # No expiry row is earlier than the floor; whether one stands at it may be unknown.
        self._expiry_floor = 0
        self._floor_is_exact = False

    @property
    def totals(self) -> layout.Totals:
        return layout.Totals(
            self.clock_ms,
            Revision(self.revision),
            self.keys,
            self.expiring,
            self.sessions.shards,
        )

    def begin(self, stamp_ms: int, value_bytes_max: int, commands: int) -> None:
        """Start an entry of so many commands: committed time goes on, never back."""
        self.clock_ms = self.estimate_ms = max(self.clock_ms, stamp_ms)
        self.value_bytes_max = value_bytes_max
        self.told_bytes = 0
        self.sweep()
        self.sessions.sweep(self.clock_ms, commands)
        # Last, so that the entry's first command is always done.
        self.looked_bytes = 0

    def take_changes(self) -> tuple[dict[bytes, bytes | None], list[tuple[bytes, bytes]]]:
        """Return the rows to put and the ranges to drop before, and start with none again."""
        rows, drops = self.rows, [(self._data, self._expiries_end)] if self.flushed else []
        rows.update(self.sessions.take_changes())
        if self.holdings is not None and self._remaining is not None:
            drops = self._remaining.take_ranges()
            self._stored = self.sessions.stored = self._stored_whole
        self.rows = {}
        self.flushed = False
        return rows, drops

    def may_tell(self, size: int) -> bool:
        """Note that a reply has so many bytes of values or keys; return whether it may."""
        self.told_bytes += size
        return self.told_bytes <= TOLD_BYTES_MAX

    # One key.

    def value(self, key: bytes) -> bytes | None:
        """Return the value of `key`, None if there is none."""
        row_key = self._data + (self.suffix if key is self.key else suffix_of(key))
        # The same as `_row`, for most reads have no changes to look at.
        row = self._row(row_key) if self.applying else self._stored(row_key)
        if row is None:
            return None
        if not self.applying:
            self.looked_bytes += len(row)
        if row[0] == EXPIRING:
            record = self.record(key)
            return None if record is None else record.value
        return row[PLAIN_BYTES:]

    def record(self, key: bytes) -> Record | None:
        """Return what is known of `key`, None if there is none."""
        suffix = self.suffix if key is self.key else suffix_of(key)
        row = self._row(self._data + suffix)
        if row is None:
            return None
        if row[0] != EXPIRING:
            return Record(suffix, row[PLAIN_BYTES:], 0, layout.revision_of(row))
        expire_ms = layout.expiry_of(row)
        if self.is_gone(expire_ms):
            if self.applying:
                self._delete(suffix, expire_ms)
            return None
        return Record(suffix, layout.value_of(row), expire_ms, layout.revision_of(row))

    def is_gone(self, expire_ms: int) -> bool:
        """Return whether a key with this expiry, not 0, no longer exists (rule 2)."""
        if expire_ms <= self.clock_ms:
            return True
        if expire_ms <= self.estimate_ms:
            self.met_due = True
            return True
        return False

    def put(self, key: bytes, value: bytes, expire_ms: int = 0) -> None:
        """Give `key` this value and expiry (0: none), whatever was there."""
        suffix = self.suffix if key is self.key else suffix_of(key)
        row_key = self._data + suffix
        row = self._row(row_key)
        if row is None:
            self.keys += 1
        elif row[0] == EXPIRING:
            self._drop_expiry(suffix, layout.expiry_of(row))
        self.revision = revision = self.revision + 1
        if expire_ms:
            self._add_expiry(suffix, expire_ms)
            self.rows[row_key] = layout.expiring_row(revision, expire_ms, value)
        else:
            self.rows[row_key] = layout.plain_row(revision, value)

    def replace(self, record: Record, value: bytes) -> None:
        """Give a key that exists another value; its expiry stays."""
        self.revision = revision = self.revision + 1
        self.rows[self._data + record.suffix] = (
            layout.expiring_row(revision, record.expire_ms, value)
            if record.expire_ms
            else layout.plain_row(revision, value)
        )

    def store(self, key: bytes, record: Record | None, value: bytes) -> None:
        """Give `key`, of which `record` is known, another value; an expiry stays."""
        # In 20 bytes a client makes a value of any length.
        self.looked_bytes += len(value)
        if record is None:
            self.put(key, value)
        else:
            self.replace(record, value)

    def set_expiry(self, record: Record, expire_ms: int) -> None:
        """Let a key that exists go at `expire_ms`, or never (0)."""
        if record.expire_ms:
            self._drop_expiry(record.suffix, record.expire_ms)
        if expire_ms:
            self._add_expiry(record.suffix, expire_ms)
        self.replace(record._replace(expire_ms=expire_ms), record.value)

    def remove(self, record: Record) -> None:
        """Delete a key that exists."""
        self._delete(record.suffix, record.expire_ms)

    def discard(self, key: bytes) -> bool:
        """Delete `key`; return whether it existed."""
        record = self.record(key)
        if record is None:
            return False
        self.remove(record)
        return True

    def flush(self) -> None:
        """Delete every key."""
        assert self.holdings is None, "of a divided keyspace shards are cleared one by one"
        if self.keys:
            self.revision += 1
        self.rows.clear()
        self.flushed = True
        self.keys = self.expiring = 0
        self._expiry_floor = NEVER_MS
        self._floor_is_exact = True

    # Many keys.

    def positions(self, start: int, stop: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield (suffix, row) of all data rows with start <= position < stop, in their order.

        Rows of keys that are gone are among them; the caller asks `is_gone`.
        """
        head = len(self._data)
        lower = self._data + start.to_bytes(layout.POSITION_BYTES, "big")
        upper = self._data + stop.to_bytes(layout.POSITION_BYTES, "big")
        for row_key, row in self._ordered(lower, upper):
            if self.holdings is None or not self.holdings.hides(row_key[head:]):
                yield row_key[head:], row

    # Expiry.

    def next_expiry_ms(self) -> int | None:
        """Return when to look for due keys: the earliest expiry, due or not; None if none is."""
        if not self._floor_is_exact:
            first = next(self._expiry_rows(), None)
            self._expiry_floor = NEVER_MS if first is None else first[0]
            self._floor_is_exact = True
        return None if self._expiry_floor == NEVER_MS else self._expiry_floor

    def sweep(self) -> None:
        """Delete due keys, earliest first, at most `SWEEP_COUNT_MAX`."""
        if self._expiry_floor > self.clock_ms:
            return
        earliest = list(islice(self._expiry_rows(), SWEEP_COUNT_MAX + 1))
        floor = NEVER_MS
        for count, (expire_ms, suffix) in enumerate(earliest):
            if expire_ms > self.clock_ms or count == SWEEP_COUNT_MAX:
                floor = expire_ms
                break
            self._expire(suffix, expire_ms)
        self._expiry_floor = floor
        self._floor_is_exact = True

    def _expiry_rows(self) -> Iterator[tuple[int, bytes]]:
        # From the floor on, not from the start: below it lie only the remains of deleted rows.
        lower = self._expiries + self._expiry_floor.to_bytes(8, "big")
        listed = (self._split_expiry(k) for k, _ in self._ordered(lower, self._expiries_end))
        held = self.holdings
        return listed if held is None else held.awake(listed, held.shard_of, self.clock_ms)

    def _expire(self, suffix: bytes, expire_ms: int) -> None:
        if self.holdings is not None:
            row = self._row(self._data + suffix)
            if row is None or layout.expiry_of(row) != expire_ms:
                # It stayed behind when its shard went away (machine/holdings.py).
                self.rows[self.expiry_key(suffix, expire_ms)] = None
                return
        self._delete(suffix, expire_ms)

    def _split_expiry(self, row_key: bytes) -> tuple[int, bytes]:
        head = len(self._expiries)
        return int.from_bytes(row_key[head : head + 8], "big"), row_key[head + 8 :]

    def _add_expiry(self, suffix: bytes, expire_ms: int) -> None:
        self.rows[self.expiry_key(suffix, expire_ms)] = b""
        self.expiring += 1
        if expire_ms <= self._expiry_floor:
            self._floor_is_exact = True
            self._expiry_floor = expire_ms

    def _drop_expiry(self, suffix: bytes, expire_ms: int) -> None:
        self.rows[self.expiry_key(suffix, expire_ms)] = None
        self.expiring -= 1
        if expire_ms == self._expiry_floor:
            self._floor_is_exact = False

    # Shards.

    def wake(self) -> None:
        """A shard sleeps no more: what is due in it is found at the next entry."""
        self._expiry_floor = 0
        self._floor_is_exact = False
        self.sessions.wake()

    def drop(self, lower: bytes, upper: bytes) -> None:
        """Delete a range of rows in this apply's own write."""
        assert self._remaining is not None, "only a divided keyspace loses parts"
        self._remaining.drop(lower, upper)
        self._stored = self.sessions.stored = self._remaining.get
        for rows in (self.rows, self.sessions.rows):
            for row_key in [each for each in rows if lower <= each < upper]:
                del rows[row_key]

    def clear(self, shard: ShardId) -> None:
        """Delete all keys of a shard; `keys` and `expiring` are the caller's."""
        assert self.holdings is not None, "only a divided keyspace has shards"
        self.account()
        self.drop(*self.holdings.data_range(shard))
        self.log(self.holdings.cleared(shard))

    def account(self) -> None:
        """Let the shards take note of what was done so far."""
        assert self.holdings is not None, "only a divided keyspace has shards"
        if self.before:
            self.log(self.holdings.account(self.before, self.rows))
            self.before.clear()
        sessions = self.sessions
        if sessions.before:
            self.log(self.holdings.account_sessions(sessions.before, sessions.rows))
            sessions.before.clear()

    def lay(self, row_key: bytes, row: bytes | None, *, is_new: bool = False) -> None:
        """Put or delete the row of a key as it is; totals are the caller's.

        `is_new` says that there is no such row, so that nobody looks: that is half of the work.
        """
        if is_new:
            self.before[row_key] = None
        else:
            self._row(row_key)
        self.rows[row_key] = row

    def log(self, changes: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Put rows that say what was done to shards."""
        self.rows.update(changes)

    def row(self, row_key: bytes) -> bytes | None:
        """Return any row by its key, as changes left it."""
        return self._row(row_key)

    def stored(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield rows of the applied state, by their keys."""
        return self._space.scan(start, stop)

    def expiry_key(self, suffix: bytes, expire_ms: int) -> bytes:
        """Return the key of the row that says when a key goes."""
        return self._expiries + expire_ms.to_bytes(8, "big") + suffix

    # Rows.

    def _row(self, row_key: bytes) -> bytes | None:
        if row_key in self.rows:
            row = self.rows[row_key]
        else:
            row = None if self.flushed else self._stored(row_key)
        if self.applying and self.holdings is not None:
            self.before.setdefault(row_key, row)
        if row is not None:
            self.looked_bytes += len(row)
        return row

    def _delete(self, suffix: bytes, expire_ms: int) -> None:
        if expire_ms:
            self._drop_expiry(suffix, expire_ms)
        self.rows[self._data + suffix] = None
        self.keys -= 1
        self.revision += 1

    def _ordered(self, lower: bytes, upper: bytes) -> Iterator[tuple[bytes, bytes]]:
        if self.flushed:
            stored: Iterator[tuple[bytes, bytes]] = iter(())
        else:
            stored = self._space.scan(lower, upper)
        return overlaid(stored, self.rows, lower, upper)
