"""What commands on keys as such do: they never look into a value, but for its encoding."""

from collections.abc import Callable
from typing import Any, Final

from pnyx.machine import commands as c
from pnyx.machine.keyspace import Keyspace
from pnyx.machine.results import OK, Refusal, Result, Status, Values
from pnyx.machine.rows import EXPIRING_BYTES, PLAIN_BYTES
from pnyx.machine.strings import integer_of, is_met

NO_SUCH_KEY: Final = Refusal("ERR no such key")
SAME_KEY: Final = Refusal("ERR source and destination objects are the same")
STRING: Final = Status(b"string")
NO_TYPE: Final = Status(b"none")
EMBSTR_BYTES_MAX: Final = 44
"""Redis puts a string up to this long beside its object header."""


def _delete(keyspace: Keyspace, command: c.Del) -> Result:
    return sum([keyspace.discard(key) for key in command.keys])


def _delete_if(keyspace: Keyspace, command: c.DelEx) -> Result:
    record = keyspace.record(command.key)
    if record is None or not is_met(command.condition, record.value, command.comparand):
        return 0
    keyspace.remove(record)
    return 1


def _exists(keyspace: Keyspace, command: c.Exists) -> Result:
    # A key may be named often, and whether it is there costs as much as its value is long.
    there = {key: keyspace.value(key) is not None for key in dict.fromkeys(command.keys)}
    return sum([there[key] for key in command.keys])


def _type_of(keyspace: Keyspace, command: c.Type) -> Result:
    return NO_TYPE if keyspace.value(command.key) is None else STRING


def _encoding(keyspace: Keyspace, command: c.Encoding) -> Result:
    # What Redis says of a value just set. It also remembers how one came about (raw after APPEND),
    # which is nothing that replicas should have to agree on.
    value = keyspace.value(command.key)
    if value is None:
        return None
    if integer_of(value) is not None:
        return b"int"
    return b"embstr" if len(value) <= EMBSTR_BYTES_MAX else b"raw"


def _memory_usage(keyspace: Keyspace, command: c.MemoryUsage) -> Result:
    record = keyspace.record(command.key)
    if record is None:
        return None
    header = EXPIRING_BYTES if record.expire_ms else PLAIN_BYTES
    return len(keyspace.prefix) + 1 + len(record.suffix) + header + len(record.value)


def _rename(keyspace: Keyspace, command: c.Rename) -> Result:
    record = keyspace.record(command.source)
    if record is None:
        return NO_SUCH_KEY
    if command.source == command.destination:
        return 0 if command.absent else OK
    if command.absent and keyspace.value(command.destination) is not None:
        return 0
    keyspace.remove(record)
    keyspace.put(command.destination, record.value, record.expire_ms)
    return 1 if command.absent else OK


def _copy(keyspace: Keyspace, command: c.Copy) -> Result:
    if command.source == command.destination:
        return SAME_KEY
    record = keyspace.record(command.source)
    if record is None:
        return 0
    if not command.replace and keyspace.value(command.destination) is not None:
        return 0
    keyspace.put(command.destination, record.value, record.expire_ms)
    return 1


def _flush_all(keyspace: Keyspace, command: c.FlushAll) -> Result:
    if keyspace.holdings is None:
        keyspace.flush()
        return OK
    # What this entry did before counts, too.
    keyspace.account()
    for shard in keyspace.holdings.in_ranges(command.ranges):
        held = keyspace.holdings.shards[shard]
        if held.served and held.keys:
            keyspace.revision += 1
            keyspace.keys -= held.keys
            keyspace.expiring -= held.expiring
            keyspace.clear(shard)
    return OK


def _size(keyspace: Keyspace, command: c.DbSize) -> Result:
    return _count(keyspace, command.ranges)[0]


def _stats(keyspace: Keyspace, command: c.KeyspaceStats) -> Result:
    return Values(_count(keyspace, command.ranges))


def _count(keyspace: Keyspace, ranges: c.Ranges) -> tuple[int, int]:
    """Return how many keys there are, and how many of them have an expiry."""
    if keyspace.holdings is None or not ranges:
        return keyspace.keys, keyspace.expiring
    # What this entry did before counts, too.
    keyspace.account()
    held = [keyspace.holdings.shards[shard] for shard in keyspace.holdings.in_ranges(ranges)]
    return sum(each.keys for each in held), sum(each.expiring for each in held)


def _tick(_keyspace: Keyspace, _: c.Tick) -> Result:
    return OK


READS: Final[dict[type[c.Command], Callable[[Keyspace, Any], Result]]] = {
    c.Exists: _exists,
    c.Type: _type_of,
    c.Encoding: _encoding,
    c.MemoryUsage: _memory_usage,
    c.DbSize: _size,
    c.KeyspaceStats: _stats,
}

WRITES: Final[dict[type[c.Command], Callable[[Keyspace, Any], Result]]] = {
    c.Del: _delete,
    c.DelEx: _delete_if,
    c.Rename: _rename,
    c.Copy: _copy,
    c.FlushAll: _flush_all,
    c.Tick: _tick,
}
