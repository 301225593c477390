"""How keys, expiries and a group's meta row lie in a space: format 1.

Every row's key starts with ``group (4) | generation (4) | kind (1)``, integers big-endian, so a
group, a generation and a slot are each one contiguous range::

    META     group | 0          | 0                                     -> Meta, msgpack
    TOTALS   group | generation | 0                                     -> Totals, msgpack
    DATA     group | generation | 1 | slot (2) | hash48 (6) | key       -> header | value
    EXPIRY   group | generation | 2 | expire_ms (8) | slot .. key       -> nothing
    COUNTS   group | generation | 3 | shard (2)                         -> {user: sessions}, msgpack
    SESSION  group | generation | 3 | shard (2) | session (16)          -> Record, msgpack
    ANSWER   group | generation | 3 | shard (2) | session | sequence (8) -> Result, msgpack
    DEADLINE group | generation | 4 | deadline_ms (8) | shard (2) | session -> nothing
    SHARD    group | generation | 5 | shard (2)                         -> Shard, msgpack
    CHANGE   group | generation | 6 | shard (2) | number (8)            -> Logged, msgpack
    RECENT   group | generation | 7 | number (2)                        -> {shard: Shard}, msgpack

A shard is ``slot * shards // 16384``, so its keys and its sessions (machine/sessions.py) are one
range each; EXPIRY and DEADLINE follow from them. What an entry changes of shards is one RECENT row,
numbered from 1; instead of the 128th, the shards of all of them are written as SHARD rows and the
RECENT rows deleted. So a RECENT row counts more than a SHARD row, and a later one more.
Generation 0 holds the meta row alone, which names the generation that counts. A totals row exists
only in a generation that is being installed. ``slot | hash48`` is the *position* of a key and the
cursor of SCAN: it depends on the key alone, so it outlives deletions, leaders and moves.

A value's header is its format byte and its revision; a value that expires has the time as well::

    PLAIN     1 | revision (8) | value
    EXPIRING  2 | revision (8) | expire_ms (8) | value
"""

from struct import Struct
from typing import Final

import msgspec
from xxhash import xxh3_64_digest

from pnyx.consensus.membership import Membership
from pnyx.consensus.ready import Mark
from pnyx.ids import GroupId, Revision
from pnyx.machine.shards import SHARDS_DEFAULT
from pnyx.machine.slots import slot_of

KIND_META: Final = b"\x00"
KIND_DATA: Final = b"\x01"
KIND_EXPIRY: Final = b"\x02"
KIND_SESSION: Final = b"\x03"
KIND_DEADLINE: Final = b"\x04"
KIND_SHARD: Final = b"\x05"
KIND_CHANGE: Final = b"\x06"
KIND_RECENT: Final = b"\x07"
KIND_END: Final = b"\x08"
"""Above every kind."""

PREFIX_BYTES: Final = 8
POSITION_BYTES: Final = 8
POSITION_END: Final = 1 << 62
"""Above every position: 14 bits of slot, 48 of hash."""

PLAIN: Final = 1
EXPIRING: Final = 2
_PLAIN_HEADER: Final = Struct(">BQ")
_EXPIRING_HEADER: Final = Struct(">BQQ")
_plain_header: Final = _PLAIN_HEADER.pack
PLAIN_BYTES: Final = _PLAIN_HEADER.size
EXPIRING_BYTES: Final = _EXPIRING_HEADER.size
assert (PLAIN_BYTES, EXPIRING_BYTES) == (9, 17), "the diagram above promises 9 and 17"

_slot_head: Final = Struct(">H").pack

EXPIRE_MS_MAX: Final = (1 << 63) - 1
"""Redis' largest time; a relative expiry that would pass it stops here."""


class Totals(msgspec.Struct, frozen=True, array_like=True):
    """What a generation's rows add up to, the time they were agreed at, and how they are cut."""

    clock_ms: int = 0
    revision: Revision = Revision(0)
    """Grows with every effective write of a key; a key's revision is its value at that write."""
    keys: int = 0
    expiring: int = 0
    shards: int = SHARDS_DEFAULT
    """Into how many the slots are cut: chosen when the group is made, the same for ever."""


class Meta(msgspec.Struct, frozen=True, array_like=True):
    """The one row that says what a group's other rows mean."""

    generation: int = 1
    applied: Mark = Mark()
    membership: Membership | None = None
    totals: Totals = Totals()
    installed: Mark = Mark()
    """The last snapshot this state came from. If the state is ahead of the log exactly there, a
    crash came before the log's mark, and recovery restarts the log at it."""
    engine: str = ""
    """Which one keeps the group's log; empty: the one that the node's data directory names."""


encode_row = msgspec.msgpack.Encoder().encode
decode_meta = msgspec.msgpack.Decoder(Meta).decode
decode_totals = msgspec.msgpack.Decoder(Totals).decode


def group_prefix(group: GroupId, generation: int) -> bytes:
    """Return the first 8 bytes of every row of a generation; the next one's end its range."""
    return group.to_bytes(4, "big") + generation.to_bytes(4, "big")


def group_end(group: GroupId) -> bytes:
    """Return the end of all rows of a group."""
    return (group + 1).to_bytes(4, "big")


def suffix_of(key: bytes) -> bytes:
    """Return ``slot | hash48 | key``: a data row's key behind its kind."""
    return suffix_in(slot_of(key), key)


def suffix_in(slot: int, key: bytes) -> bytes:
    """Return the suffix of a key whose slot is known."""
    return _slot_head(slot) + xxh3_64_digest(key)[:6] + key


def plain_row(revision: int, value: bytes) -> bytes:
    """Return the data row of a value that stays."""
    return _plain_header(PLAIN, revision) + value


def expiring_row(revision: int, expire_ms: int, value: bytes) -> bytes:
    """Return the data row of a value that goes at `expire_ms`."""
    return _EXPIRING_HEADER.pack(EXPIRING, revision, expire_ms) + value


def expiry_of(row: bytes) -> int:
    """Return when a data row goes, in ms since 1970; 0 if it stays."""
    return int.from_bytes(row[9:17], "big") if row[0] == EXPIRING else 0


def revision_of(row: bytes) -> Revision:
    """Return the revision of a data row."""
    return Revision(int.from_bytes(row[1:9], "big"))


def value_of(row: bytes) -> bytes:
    """Return the value in a data row."""
    return row[EXPIRING_BYTES:] if row[0] == EXPIRING else row[PLAIN_BYTES:]
