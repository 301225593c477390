"""Sessions: a write that is sent again has its effect once, and gets its first answer again.

A record remembers, per shard and session, the answers that its client has not acknowledged, and up
to which sequence it has. It lies in the shard's range (machine/rows.py), changes in the same write
as the effect, and is forgotten by agreement.

Rule 1. A write is refused once the committed clock has reached its deadline, executed or not. So
        what is forgotten after the newest deadline can never be asked for again.
Rule 2. Order: deadline, look-up, then everything else. A retry gets its first answer whatever has
        happened to watched keys, limits or the table since.
Rule 3. An answer is kept until it is acknowledged, the acknowledgement until the newest deadline
        of the record has passed: a late copy of an acknowledged write meets one or the other.
Rule 4. A full table refuses new sessions and never forgets an old one for them.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

from pnyx.ids import SLOT_COUNT
from pnyx.machine.commands import Sequenced
from pnyx.machine.holdings import Holdings
from pnyx.machine.overlay import overlaid
from pnyx.machine.results import OK, Refusal, Result
from pnyx.machine.rows import KIND_DEADLINE, KIND_SESSION, KIND_SHARD, encode_row
from pnyx.machine.space import Reader

WINDOW: Final = 16
"""How far a sequence may be above the highest acknowledged one: so many answers are kept."""
DEADLINE_AHEAD_MS_MAX: Final = 3_600_000
"""How far a deadline may lie ahead of the committed clock."""
SESSIONS_PER_SHARD_MAX: Final = 262_144
SESSIONS_PER_USER_MAX: Final = 196_608
"""Of one user in one shard: no user takes all of it."""
ANSWER_BYTES_MAX: Final = 64 * 1024
"""An encoded answer above this is not kept; its retry is told so."""
INLINE_BYTES_MAX: Final = 128
"""An encoded answer above this has a row of its own, for the record is written again each time."""
SWEEP_COUNT_MAX: Final = 64
"""Listed records looked at an entry, besides one for each of its commands."""
SESSION_BYTES: Final = 16
_SHARD_BYTES: Final = 2

_NEVER_MS: Final = 1 << 64

SHARD_FULL: Final = Refusal(
    f"ERR PX0210 the key's shard has {SESSIONS_PER_SHARD_MAX} sessions and takes no new one; "
    "nothing was done, use an older session or wait until some have passed their deadlines"
)
USER_FULL: Final = Refusal(
    f"ERR PX0210 this user has {SESSIONS_PER_USER_MAX} sessions in the key's shard and may have no "
    "new one; nothing was done, use an older session or wait until some have passed their deadlines"
)
ANSWER_NOT_KEPT: Final = Refusal(
    f"ERR PX0213 this write was done, once; its answer was larger than {ANSWER_BYTES_MAX} bytes "
    "and is not kept; read what it left"
)


class Kept(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The answer to one write."""

    sequence: int
    digest: int
    """Of the client's bytes: another command does not get this answer."""
    result: bytes
    """MessagePack; empty if it has a row of its own."""


class Record(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a shard knows of a session."""

    user: bytes
    ack: int
    """All up to here are answered, and the client knows the answers."""
    deadline_ms: int
    """The newest of its writes: then the record goes."""
    listed_ms: int
    """Where it stands in the list of deadlines: never later than `deadline_ms`."""
    kept: tuple[Kept, ...]
    """In the order in which they were done; at most `WINDOW`."""


decode_record: Final = msgspec.msgpack.Decoder(Record).decode
decode_counts: Final = msgspec.msgpack.Decoder(dict[bytes, int]).decode
_decode_result: Final = msgspec.msgpack.Decoder(Result).decode
_OK_BYTES: Final = encode_row(OK)


class Sessions:
    """The records of one generation, and what this apply changes of them."""

    __slots__ = (
        "_deadlines",
        "_end",
        "_floor_is_exact",
        "_floor_ms",
        "_heads",
        "_holdings",
        "_records",
        "_space",
        "before",
        "rows",
        "shards",
        "stored",
    )

    def __init__(
        self, space: Reader, prefix: bytes, shards: int, holdings: Holdings | None = None
    ) -> None:
        self._space = space
        self.stored = space.get
        """Looks up a row as it was before this apply."""
        self._holdings = holdings
        self._records = prefix + KIND_SESSION
        self._heads = [self._records + shard.to_bytes(2, "big") for shard in range(shards)]
        """By shard, what the keys of its records begin with."""
        self._deadlines = prefix + KIND_DEADLINE
        self._end = prefix + KIND_SHARD
        self.shards = shards
        """Into how many the slots are cut."""
        self.rows: dict[bytes, bytes | None] = {}
        """Changes by row key; None deletes. FLUSHALL, which drops keys, leaves them alone."""
        self.before: dict[bytes, bytes | None] = {}
        """Of a divided keyspace: rows of records and answers as they were before the entry.
        Whatever is written was read first."""
        # No listed deadline is earlier than the floor; whether one stands at it may be unknown.
        self._floor_ms = 0
        self._floor_is_exact = False

    def take_changes(self) -> dict[bytes, bytes | None]:
        """Return the rows to put, and start with none again."""
        rows, self.rows = self.rows, {}
        return rows

    # One record.

    def place(self, slot: int, session: bytes) -> bytes:
        """Return the key of the record of `session` in the shard of `slot`."""
        # What shard_of_slot says: this is done for every write of a session.
        return self._heads[slot * self.shards // SLOT_COUNT] + session

    def record(self, place: bytes, clock_ms: int) -> Record | None:
        """Return the record there, None if there is none or its time has come."""
        row = self._row(place)
        if row is None:
            return None
        record = decode_record(row)
        if record.deadline_ms > clock_ms:
            return record
        self._forget(place, record)
        return None

    def answer(self, place: bytes, kept: Kept) -> Result:
        """Return the answer that was kept."""
        row = kept.result or self._row(_answer_key(place, kept.sequence))
        assert row is not None, "a large answer stays as long as its record names it"
        result: Result = _decode_result(row)
        return result

    def refusal(self, place: bytes, user: bytes) -> Refusal | None:
        """Return why `user` may have no new session in the shard of `place`."""
        counts = self._counts(place)
        if counts.get(user, 0) >= SESSIONS_PER_USER_MAX:
            return USER_FULL
        return SHARD_FULL if sum(counts.values()) >= SESSIONS_PER_SHARD_MAX else None

    def keep(
        self, place: bytes, record: Record | None, command: Sequenced, ack: int, result: Result
    ) -> None:
        """Remember the answer, and drop those that are acknowledged."""
        row = _OK_BYTES if result is OK else encode_row(result)
        if len(row) > INLINE_BYTES_MAX:
            if len(row) > ANSWER_BYTES_MAX:
                row = encode_row(ANSWER_NOT_KEPT)
            self._put(_answer_key(place, command.sequence), row)
            row = b""
        kept: tuple[Kept, ...] = (Kept(command.sequence, command.digest, row),)
        deadline_ms = listed_ms = command.deadline_ms
        if record is None:
            self._count(place, command.user, 1)
            self._list(place, listed_ms)
        else:
            older = record.kept
            # Usually the only one is acknowledged, and has no row of its own.
            if len(older) > 1 or (older and (older[0].sequence > ack or not older[0].result)):
                kept = (*self._unacknowledged(place, record, ack), *kept)
            deadline_ms = max(record.deadline_ms, deadline_ms)
            listed_ms = record.listed_ms
        self.rows[place] = encode_row(Record(command.user, ack, deadline_ms, listed_ms, kept))

    def _unacknowledged(self, place: bytes, record: Record, ack: int) -> list[Kept]:
        left: list[Kept] = []
        for each in record.kept:
            if each.sequence > ack:
                left.append(each)
            elif not each.result:
                self._put(_answer_key(place, each.sequence), None)
        return left

    # Forgetting.

    def next_deadline_ms(self, clock_ms: int) -> int | None:
        """Return when the first record is to be looked at; None if there is none."""
        if not self._floor_is_exact:
            first = next(self._listed(clock_ms), None)
            self._floor_ms = _NEVER_MS if first is None else first[0]
            self._floor_is_exact = True
        return None if self._floor_ms == _NEVER_MS else self._floor_ms

    def sweep(self, clock_ms: int, commands: int) -> None:
        """Forget records whose time has come: a bounded number, more if many may be made.

        A record is listed once, not at each write: one that was used since is listed anew here.
        """
        if self._floor_ms > clock_ms:
            return
        count_max = SWEEP_COUNT_MAX + commands
        earliest = list(islice(self._listed(clock_ms), count_max + 1))
        self._floor_ms = _NEVER_MS
        for count, (listed_ms, suffix) in enumerate(earliest):
            if listed_ms > clock_ms or count == count_max:
                self._floor_ms = min(self._floor_ms, listed_ms)
                break
            self._revisit(self._records + suffix, listed_ms, clock_ms)
        self._floor_is_exact = True

    def _revisit(self, place: bytes, listed_ms: int, clock_ms: int) -> None:
        row = self._row(place)
        record = None if row is None else decode_record(row)
        if record is None or record.listed_ms != listed_ms:
            assert self._holdings is not None, "what is listed exists, unless its shard went away"
            self._unlist(place, listed_ms)
            return
        if record.deadline_ms <= clock_ms:
            self._forget(place, record)
            return
        self._unlist(place, record.listed_ms)
        self._list(place, record.deadline_ms)
        self._put(place, encode_row(msgspec.structs.replace(record, listed_ms=record.deadline_ms)))

    def _forget(self, place: bytes, record: Record) -> None:
        self._unacknowledged(place, record, max((each.sequence for each in record.kept), default=0))
        self._put(place, None)
        self._unlist(place, record.listed_ms)
        self._count(place, record.user, -1)

    def _list(self, place: bytes, deadline_ms: int) -> None:
        self.rows[self._deadline_key(place, deadline_ms)] = b""
        if deadline_ms <= self._floor_ms:
            self._floor_ms = deadline_ms
            self._floor_is_exact = True

    def _unlist(self, place: bytes, listed_ms: int) -> None:
        self.rows[self._deadline_key(place, listed_ms)] = None
        if listed_ms == self._floor_ms:
            self._floor_is_exact = False

    def _deadline_key(self, place: bytes, deadline_ms: int) -> bytes:
        return self._deadlines + deadline_ms.to_bytes(8, "big") + place[len(self._records) :]

    def _listed(self, clock_ms: int) -> Iterator[tuple[int, bytes]]:
        # From the floor on, not from the start: below it lie only the remains of deleted rows.
        lower = self._deadlines + min(self._floor_ms, _NEVER_MS - 1).to_bytes(8, "big")
        stored = self._space.scan(lower, self._end)
        listed = (self._split(k) for k, _ in overlaid(stored, self.rows, lower, self._end))
        held = self._holdings
        return listed if held is None else held.awake(listed, _shard_in, clock_ms)

    def wake(self) -> None:
        """A shard sleeps no more: what is due in it is found at the next entry."""
        self._floor_ms = 0
        self._floor_is_exact = False

    def imported(self, row_key: bytes, row: bytes | None) -> None:
        """Put a row of a shard that comes from elsewhere, and list it if it is a record."""
        self._put(row_key, row)
        if row is not None and len(row_key) == len(self._records) + _SHARD_BYTES + SESSION_BYTES:
            listed_ms = decode_record(row).listed_ms
            self.rows[self._deadline_key(row_key, listed_ms)] = b""

    def _split(self, row_key: bytes) -> tuple[int, bytes]:
        head = len(self._deadlines)
        return int.from_bytes(row_key[head : head + 8], "big"), row_key[head + 8 :]

    # Counts by user, a row a shard.

    def _counts(self, place: bytes) -> dict[bytes, int]:
        row = self._row(place[:-SESSION_BYTES])
        return {} if row is None else decode_counts(row)

    def _count(self, place: bytes, user: bytes, change: int) -> None:
        counts = self._counts(place)
        counts[user] = counts.get(user, 0) + change
        left = {each: counts[each] for each in sorted(counts) if counts[each]}
        self.rows[place[:-SESSION_BYTES]] = encode_row(left) if left else None

    def _row(self, row_key: bytes) -> bytes | None:
        row = self.rows[row_key] if row_key in self.rows else self.stored(row_key)
        if self._holdings is not None:
            self.before.setdefault(row_key, row)
        return row

    def _put(self, row_key: bytes, row: bytes | None) -> None:
        if self._holdings is not None:
            self._row(row_key)
        self.rows[row_key] = row


def _shard_in(suffix: bytes) -> int:
    return int.from_bytes(suffix[:_SHARD_BYTES], "big")


def _answer_key(place: bytes, sequence: int) -> bytes:
    return place + sequence.to_bytes(8, "big")
