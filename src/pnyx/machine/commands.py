"""What a client wants done to the key-value machine, as data.

Everything here is already parsed and checked as far as words alone allow: integers are integers,
options do not contradict. What remains depends on the keys' values or on the committed clock. A
write goes through the log; a read may be answered from applied state behind a read barrier, or
ride in the log too, for order among the commands of one connection.

Redis words appear once, here as class names: DECR is `IncrBy` with a negative delta, SETNX is
`Set` with a condition (the gateway's table knows).
"""

from enum import IntEnum
from typing import ClassVar, TypeAlias

import msgspec

from pnyx.machine.directives import AnyDirective
from pnyx.machine.moves import AnyMove


class Condition(IntEnum):
    """When a conditional write takes place."""

    ALWAYS = 0
    ABSENT = 1
    """NX: only if the key does not exist."""
    PRESENT = 2
    """XX: only if it exists."""
    EQUAL = 3
    """IFEQ: only if it exists and its value equals the comparand."""
    DIFFERENT = 4
    """IFNE: only if its value differs from the comparand; an absent key differs."""
    GREATER = 5
    """GT: only a later expiry than the present one (none counts as infinite)."""
    LESS = 6
    """LT: only an earlier expiry than the present one (none counts as infinite)."""


class Expiry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """When a key goes: absolute ms since 1970, or relative to the stamp of the entry."""

    ms: int
    relative: bool


class Command(msgspec.Struct, frozen=True, array_like=True):
    """Base of all commands: says whether it changes anything."""

    writes: ClassVar[bool] = False


class Write(Command, frozen=True, array_like=True):
    """Base of the commands that must go through the log."""

    writes: ClassVar[bool] = True


# Strings.


class Get(Command, frozen=True, array_like=True, tag="get", gc=False):
    """Bulk or null."""

    key: bytes


class MGet(Command, frozen=True, array_like=True, tag="mget", gc=False):
    """Values of bulk or null, in the order of `keys`."""

    keys: tuple[bytes, ...]


class Set(Write, frozen=True, array_like=True, tag="set", gc=False):
    """OK or null (condition not met); with `get` the previous value or null."""

    key: bytes
    value: bytes
    expiry: Expiry | None = None
    condition: Condition = Condition.ALWAYS
    comparand: bytes | None = None
    """For EQUAL and DIFFERENT."""
    keep_ttl: bool = False
    get: bool = False


class SetNx(Write, frozen=True, array_like=True, tag="setnx", gc=False):
    """1 if set, 0 if the key existed."""

    key: bytes
    value: bytes


class MSet(Write, frozen=True, array_like=True, tag="mset", gc=False):
    """OK; with `absent` 1 if all were set, 0 if any key existed (then none was)."""

    pairs: tuple[tuple[bytes, bytes], ...]
    absent: bool = False


class GetDel(Write, frozen=True, array_like=True, tag="getdel", gc=False):
    """The value or null; the key is gone."""

    key: bytes


class GetEx(Write, frozen=True, array_like=True, tag="getex", gc=False):
    """The value or null; sets the expiry, or removes it with `persist`."""

    key: bytes
    expiry: Expiry | None = None
    persist: bool = False


class DelEx(Write, frozen=True, array_like=True, tag="delex", gc=False):
    """1 if deleted, else 0."""

    key: bytes
    condition: Condition = Condition.ALWAYS
    comparand: bytes | None = None


class Append(Write, frozen=True, array_like=True, tag="append", gc=False):
    """The new length."""

    key: bytes
    value: bytes


class Strlen(Command, frozen=True, array_like=True, tag="strlen", gc=False):
    """Bytes of the value, 0 if absent."""

    key: bytes


class GetRange(Command, frozen=True, array_like=True, tag="getrange", gc=False):
    """The bytes from `start` to `stop`, both included, negative from the end."""

    key: bytes
    start: int
    stop: int


class SetRange(Write, frozen=True, array_like=True, tag="setrange", gc=False):
    """The new length; zero bytes fill a gap. `offset` is not negative."""

    key: bytes
    offset: int
    value: bytes


class IncrBy(Write, frozen=True, array_like=True, tag="incrby", gc=False):
    """The new value; Redis' errors for no integer and overflow."""

    key: bytes
    delta: int


class IncrByFloat(Write, frozen=True, array_like=True, tag="incrbyfloat", gc=False):
    """The new value as a bulk, computed and printed as Redis' long double does."""

    key: bytes
    delta: bytes
    """As the client wrote it, known to parse."""


class Lcs(Command, frozen=True, array_like=True, tag="lcs", gc=False):
    """Longest common subsequence: the bytes, their count, or the matches (`Pairs`)."""

    first: bytes
    second: bytes
    length: bool = False
    matches: bool = False
    match_min: int = 0
    with_lengths: bool = False


# Bits.


class SetBit(Write, frozen=True, array_like=True, tag="setbit", gc=False):
    """The bit before."""

    key: bytes
    offset: int
    bit: int


class GetBit(Command, frozen=True, array_like=True, tag="getbit", gc=False):
    """0 or 1."""

    key: bytes
    offset: int


class BitCount(Command, frozen=True, array_like=True, tag="bitcount", gc=False):
    """Set bits in the whole value, or in a range of bytes or bits."""

    key: bytes
    start: int | None = None
    stop: int | None = None
    by_bit: bool = False


class BitPos(Command, frozen=True, array_like=True, tag="bitpos", gc=False):
    """The position of the first `bit`, or -1."""

    key: bytes
    bit: int
    start: int | None = None
    stop: int | None = None
    by_bit: bool = False


class BitOp(Write, frozen=True, array_like=True, tag="bitop", gc=False):
    """Length of the destination; `operation` is one of and, or, xor, not."""

    operation: str
    destination: bytes
    keys: tuple[bytes, ...]


class BitStep(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One sub-command of BITFIELD."""

    action: str
    """get, set or incrby."""
    signed: bool
    bits: int
    offset: int
    """In bits, ``#n`` already multiplied."""
    operand: int = 0
    overflow: str = "wrap"
    """wrap, sat or fail."""


class BitField(Write, frozen=True, array_like=True, tag="bitfield", gc=False):
    """Values of integers or nulls, one a step."""

    key: bytes
    steps: tuple[BitStep, ...]


class BitFieldRead(Command, frozen=True, array_like=True, tag="bitfield_ro", gc=False):
    """The same with get steps only."""

    key: bytes
    steps: tuple[BitStep, ...]


# Keyspace.

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""First and last slot of each run. A group that does not serve all of them does nothing. Empty:
whatever the group serves, however little that is."""


class Del(Write, frozen=True, array_like=True, tag="del", gc=False):
    """How many of `keys` existed."""

    keys: tuple[bytes, ...]


class Exists(Command, frozen=True, array_like=True, tag="exists", gc=False):
    """How many of `keys` exist, repeated ones counted each time. (TOUCH too.)."""

    keys: tuple[bytes, ...]


class Type(Command, frozen=True, array_like=True, tag="type", gc=False):
    """Status string or none."""

    key: bytes


class Encoding(Command, frozen=True, array_like=True, tag="encoding", gc=False):
    """OBJECT ENCODING: int, embstr or raw as a bulk; null if absent."""

    key: bytes


class MemoryUsage(Command, frozen=True, array_like=True, tag="memory_usage", gc=False):
    """Bytes of key, value and header in the space; null if absent."""

    key: bytes


class Rename(Write, frozen=True, array_like=True, tag="rename", gc=False):
    """OK; with `absent` 1 or 0. Redis' error if the source does not exist."""

    source: bytes
    destination: bytes
    absent: bool = False


class Copy(Write, frozen=True, array_like=True, tag="copy", gc=False):
    """1 if copied, value and expiry, else 0."""

    source: bytes
    destination: bytes
    replace: bool = False


class Expire(Write, frozen=True, array_like=True, tag="expire", gc=False):
    """1 if the expiry was set (a time that has passed deletes the key), else 0."""

    key: bytes
    expiry: Expiry
    conditions: tuple[Condition, ...] = ()
    """ABSENT (no expiry yet), PRESENT, GREATER, LESS; all must hold."""


class Persist(Write, frozen=True, array_like=True, tag="persist", gc=False):
    """1 if an expiry was removed, else 0."""

    key: bytes


class Ttl(Command, frozen=True, array_like=True, tag="ttl", gc=False):
    """Time left, or the time it goes (`absolute`); -1 no expiry, -2 no key."""

    key: bytes
    seconds: bool
    """Round to seconds as Redis does: TTL (ms + 500) // 1000, EXPIRETIME (ms + 500) // 1000."""
    absolute: bool = False


class Keys(Command, frozen=True, array_like=True, tag="keys", gc=False):
    """Values of all keys that match the glob `pattern`; refused above KEYS_COUNT_MAX keys."""

    pattern: bytes
    ranges: Ranges = ()


class Scan(Command, frozen=True, array_like=True, tag="scan", gc=False):
    """Values(next cursor as a bulk, Values of keys); machine/scan.py says what a cursor is."""

    cursor: int
    pattern: bytes | None = None
    count: int = 10
    type_name: bytes | None = None
    last: int | None = None
    """The last slot: behind it the cursor is ``(last + 1) << 48``, of the last slot of all 0."""


class RandomKey(Command, frozen=True, array_like=True, tag="randomkey", gc=False):
    """A key, or null when there is none. `draw` (64 random bits) decides which."""

    draw: int


class DbSize(Command, frozen=True, array_like=True, tag="dbsize", gc=False):
    """How many keys there are, due ones that were not swept yet included."""

    ranges: Ranges = ()


class SlotCount(Command, frozen=True, array_like=True, tag="slot_count", gc=False):
    """How many keys the slot has."""

    slot: int


class SlotKeys(Command, frozen=True, array_like=True, tag="slot_keys", gc=False):
    """Up to `count` keys of the slot."""

    slot: int
    count: int


class FlushAll(Write, frozen=True, array_like=True, tag="flushall", gc=False):
    """OK; every key is gone."""

    ranges: Ranges = ()


class KeyspaceStats(Command, frozen=True, array_like=True, tag="keyspace_stats", gc=False):
    """Values(keys, keys with an expiry)."""

    ranges: Ranges = ()


# Transactions and time.


class Revisions(Command, frozen=True, array_like=True, tag="revisions", gc=False):
    """Values of each key's revision, 0 if absent: what WATCH remembers."""

    keys: tuple[bytes, ...]


class GetVersioned(Command, frozen=True, array_like=True, tag="getv", gc=False):
    """Values(value, revision), null if absent."""

    key: bytes


class CompareAndSet(Write, frozen=True, array_like=True, tag="cas", gc=False):
    """The new revision, or null: the key's revision (0: absent) is another one."""

    key: bytes
    revision: int
    value: bytes
    expiry: Expiry | None = None
    keep_ttl: bool = False


class Transaction(Write, frozen=True, array_like=True, tag="transaction"):
    """Values of each command's result, or NULL_ARRAY if a watched revision changed."""

    commands: tuple["AnyCommand", ...]
    watched: tuple[tuple[bytes, int], ...] = ()


class Tick(Write, frozen=True, array_like=True, tag="tick", gc=False):
    """Nothing but the passing of committed time; sweeps due keys. OK."""


class Clock(Command, frozen=True, array_like=True, tag="clock", gc=False):
    """The group's time in ms since 1970: the committed clock in the log, else an estimate of it."""

    slot: int | None = None
    """Whose time is meant, if that matters."""


# Sessions.


class Sequenced(Write, frozen=True, array_like=True, tag="sequenced", gc=False):
    """The answer of `command`, which is done at most once (machine/sessions.py)."""

    slot: int
    """Of its keys: they have one."""
    session: bytes
    """16 random bytes."""
    user: bytes
    sequence: int
    """Grows with the session's writes, from 1; a retry keeps it."""
    ack: int
    """The client has the answers of all sequences up to here."""
    deadline_ms: int
    """Committed clock, ms since 1970; from then on it is never done. A retry keeps it."""
    digest: int
    """64 bits of the client's words; watched revisions are no part of it."""
    command: "AnyCommand"
    """A write, a transaction perhaps; never another `Sequenced`."""


AnyCommand: TypeAlias = (
    Get | MGet | Set | SetNx | MSet | GetDel | GetEx | DelEx | Append | Strlen | GetRange
    | SetRange | IncrBy | IncrByFloat | Lcs | SetBit | GetBit | BitCount | BitPos | BitOp
    | BitField | BitFieldRead | Del | Exists | Type | Encoding | MemoryUsage | Rename | Copy
    | Expire | Persist | Ttl | Keys | Scan | RandomKey | DbSize | SlotCount | SlotKeys | FlushAll
    | KeyspaceStats | Revisions | GetVersioned | CompareAndSet | Transaction | Tick | Clock
    | Sequenced | AnyDirective | AnyMove
)  # fmt: skip


class Batch(msgspec.Struct, frozen=True, array_like=True):
    """The payload of one entry: commands in order, and what all replicas must agree on."""

    stamp_ms: int
    """The leader's clock, ms since 1970. Never below the stamp before (design: time and expiry)."""
    value_bytes_max: int
    """The proposer's limit, so that all replicas refuse the same growth."""
    commands: tuple[AnyCommand, ...]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Batch)


def encode(batch: Batch) -> bytes:
    """Return the batch as an entry's payload."""
    return _encoder.encode(batch)


def decode(payload: bytes) -> Batch:
    """Return the batch in an entry's payload.

    Raises:
        msgspec.DecodeError: not a batch; an entry like that never passed a leader of this version.
    """
    return _decoder.decode(payload)
