"""What commands on one value as a string do; Redis 7.0 t_string.c is the reference."""

from collections.abc import Callable
from typing import Any, Final

from pnyx.machine import commands as c
from pnyx.machine.commands import Condition
from pnyx.machine.expiry import expire_at
from pnyx.machine.floats import INVALID, add_decimal, parse_decimal
from pnyx.machine.keyspace import TOLD_REFUSED, Keyspace
from pnyx.machine.lcs import TOO_LARGE, longest_common
from pnyx.machine.results import OK, Refusal, Result, Values

INTEGER_MIN: Final = -(1 << 63)
INTEGER_MAX: Final = (1 << 63) - 1
INTEGER_BYTES_MAX: Final = 20
DIGIT_BYTES: Final = 64
"""A byte of a float takes as long to add as it takes to look at so many bytes of rows."""
LCS_BYTE_BYTES: Final = 128
"""The same of a byte that LCS compares, besides one for each cell of its table."""

_ALWAYS: Final = Condition.ALWAYS
"""To look it up in its class costs a plain SET more than to compare it."""

NO_INTEGER: Final = Refusal("ERR value is not an integer or out of range")
INTEGER_OVERFLOW: Final = Refusal("ERR increment or decrement would overflow")
NO_FLOAT: Final = Refusal("ERR value is not a valid float")
FLOAT_OVERFLOW: Final = Refusal("ERR increment would produce NaN or Infinity")
TOO_LONG: Final = Refusal("ERR string exceeds maximum allowed size (proto-max-bulk-len)")


def integer_of(value: bytes) -> int | None:
    """Return the 64-bit integer that `value` spells canonically, None if it is none.

    Redis stores no other spelling as a number: no plus, no leading zero, no space (string2ll).
    """
    if not 0 < len(value) <= INTEGER_BYTES_MAX:
        return None
    digits = value[1:] if value[:1] == b"-" else value
    if not digits.isdigit() or (digits[:1] == b"0" and value != b"0"):
        return None
    number = int(value)
    return number if INTEGER_MIN <= number <= INTEGER_MAX else None


def _get(keyspace: Keyspace, command: c.Get) -> Result:
    value = keyspace.value(command.key)
    return value if value is None or keyspace.may_tell(len(value)) else TOLD_REFUSED


def _get_many(keyspace: Keyspace, command: c.MGet) -> Result:
    values: list[bytes | None] = []
    for key in command.keys:
        value = keyspace.value(key)
        if value is not None and not keyspace.may_tell(len(value)):
            return TOLD_REFUSED
        values.append(value)
    return Values(tuple(values))


def _put(keyspace: Keyspace, command: c.Set) -> Result:
    # The plain SET is most of all traffic and needs nothing that was there before.
    if (
        command.condition is _ALWAYS
        and command.expiry is None
        and not command.get
        and not command.keep_ttl
    ):
        keyspace.put(command.key, command.value)
        return OK
    return _put_with_options(keyspace, command)


def _put_with_options(keyspace: Keyspace, command: c.Set) -> Result:
    record = keyspace.record(command.key)
    before = None if record is None else record.value
    if command.get and before is not None and not keyspace.may_tell(len(before)):
        return TOLD_REFUSED
    if not is_met(command.condition, before, command.comparand):
        return before if command.get else None
    expire_ms = 0
    if command.expiry is not None:
        expire_ms = expire_at(keyspace, command.expiry)
    elif command.keep_ttl and record is not None:
        expire_ms = record.expire_ms
    if expire_ms and keyspace.is_gone(expire_ms):
        keyspace.discard(command.key)
    else:
        keyspace.put(command.key, command.value, expire_ms)
    return before if command.get else OK


def is_met(condition: Condition, value: bytes | None, comparand: bytes | None) -> bool:
    """Return whether a write to a key with this value (None: absent) takes place."""
    match condition:
        case Condition.ABSENT:
            return value is None
        case Condition.PRESENT:
            return value is not None
        case Condition.EQUAL:
            return value is not None and value == comparand
        case Condition.DIFFERENT:
            return value is None or value != comparand
        case _:
            return True


def _put_absent(keyspace: Keyspace, command: c.SetNx) -> Result:
    if keyspace.value(command.key) is not None:
        return 0
    keyspace.put(command.key, command.value)
    return 1


def _put_many(keyspace: Keyspace, command: c.MSet) -> Result:
    if command.absent and any(keyspace.value(key) is not None for key, _ in command.pairs):
        return 0
    for key, value in command.pairs:
        keyspace.put(key, value)
    return 1 if command.absent else OK


def _take(keyspace: Keyspace, command: c.GetDel) -> Result:
    record = keyspace.record(command.key)
    if record is None:
        return None
    if not keyspace.may_tell(len(record.value)):
        return TOLD_REFUSED
    keyspace.remove(record)
    return record.value


def _append(keyspace: Keyspace, command: c.Append) -> Result:
    record = keyspace.record(command.key)
    value = command.value if record is None else record.value + command.value
    if len(value) > keyspace.value_bytes_max:
        return TOO_LONG
    keyspace.store(command.key, record, value)
    return len(value)


def _length(keyspace: Keyspace, command: c.Strlen) -> Result:
    return len(keyspace.value(command.key) or b"")


def _get_range(keyspace: Keyspace, command: c.GetRange) -> Result:
    value = keyspace.value(command.key) or b""
    start, stop = command.start, command.stop
    if start < 0 and stop < 0 and start > stop:
        return b""
    start = max(start + len(value), 0) if start < 0 else start
    # A stop before the first byte means the first byte, as in Redis.
    stop = max(stop + len(value), 0) if stop < 0 else stop
    piece = value[start : stop + 1]
    return piece if keyspace.may_tell(len(piece)) else TOLD_REFUSED


def _set_range(keyspace: Keyspace, command: c.SetRange) -> Result:
    record = keyspace.record(command.key)
    before = b"" if record is None else record.value
    if not command.value:
        return len(before)
    end = command.offset + len(command.value)
    if end > keyspace.value_bytes_max:
        return TOO_LONG
    value = before[: command.offset].ljust(command.offset, b"\0") + command.value + before[end:]
    keyspace.store(command.key, record, value)
    return len(value)


def _increment(keyspace: Keyspace, command: c.IncrBy) -> Result:
    record = keyspace.record(command.key)
    before = 0 if record is None else integer_of(record.value)
    if before is None:
        return NO_INTEGER
    after = before + command.delta
    if not INTEGER_MIN <= after <= INTEGER_MAX:
        return INTEGER_OVERFLOW
    keyspace.store(command.key, record, b"%d" % after)
    return after


def _increment_float(keyspace: Keyspace, command: c.IncrByFloat) -> Result:
    record = keyspace.record(command.key)
    before = parse_decimal(b"0" if record is None else record.value)
    delta = parse_decimal(command.delta)
    if before is INVALID or delta is INVALID:
        return NO_FLOAT
    after = add_decimal(before, delta)
    if after is None:
        return FLOAT_OVERFLOW
    keyspace.looked_bytes += DIGIT_BYTES * (len(command.delta) + len(after))
    if len(after) > keyspace.value_bytes_max:
        return TOO_LONG
    keyspace.store(command.key, record, after)
    return after


def _lcs(keyspace: Keyspace, command: c.Lcs) -> Result:
    first = keyspace.value(command.first) or b""
    second = keyspace.value(command.second) or b""
    found = longest_common(first, second, command)
    if found is not TOO_LARGE:
        bytes_compared, cells = len(first) + len(second), len(first) * len(second)
        keyspace.looked_bytes += LCS_BYTE_BYTES * bytes_compared + cells
    return found


READS: Final[dict[type[c.Command], Callable[[Keyspace, Any], Result]]] = {
    c.Get: _get,
    c.MGet: _get_many,
    c.Strlen: _length,
    c.GetRange: _get_range,
    c.Lcs: _lcs,
}

WRITES: Final[dict[type[c.Command], Callable[[Keyspace, Any], Result]]] = {
    c.Set: _put,
    c.SetNx: _put_absent,
    c.MSet: _put_many,
    c.GetDel: _take,
    c.Append: _append,
    c.SetRange: _set_range,
    c.IncrBy: _increment,
    c.IncrByFloat: _increment_float,
}
