"""When keys go: EXPIRE and its family, by committed clock (design: time and expiry).

Redis counts from its own clock; here relative times count from the entry's stamp, and while
reading the time left counts to the reader's estimate.
"""

from collections.abc import Callable
from typing import Any, Final

from pnyx.machine import commands as c
from pnyx.machine.commands import Condition, Expiry
from pnyx.machine.keyspace import TOLD_REFUSED, Keyspace
from pnyx.machine.results import Result
from pnyx.machine.rows import EXPIRE_MS_MAX


def expire_at(keyspace: Keyspace, expiry: Expiry) -> int:
    """Return the absolute time of an expiry in ms: at least 1, for 0 means 'stays'."""
    at = keyspace.clock_ms + expiry.ms if expiry.relative else expiry.ms
    return min(max(at, 1), EXPIRE_MS_MAX)


def _expire(keyspace: Keyspace, command: c.Expire) -> Result:
    record = keyspace.record(command.key)
    if record is None:
        return 0
    at = expire_at(keyspace, command.expiry)
    if not all(_is_met(condition, record.expire_ms, at) for condition in command.conditions):
        return 0
    if keyspace.is_gone(at):
        keyspace.remove(record)
    else:
        keyspace.set_expiry(record, at)
    return 1


def _is_met(condition: Condition, present: int, wanted: int) -> bool:
    match condition:
        case Condition.ABSENT:
            return present == 0
        case Condition.PRESENT:
            return present != 0
        case Condition.GREATER:
            return present != 0 and wanted > present
        case Condition.LESS:
            return present == 0 or wanted < present
        case _:
            return True


def _persist(keyspace: Keyspace, command: c.Persist) -> Result:
    record = keyspace.record(command.key)
    if record is None or not record.expire_ms:
        return 0
    keyspace.set_expiry(record, 0)
    return 1


def _get_and_expire(keyspace: Keyspace, command: c.GetEx) -> Result:
    record = keyspace.record(command.key)
    if record is None:
        return None
    if not keyspace.may_tell(len(record.value)):
        return TOLD_REFUSED
    if command.expiry is not None:
        at = expire_at(keyspace, command.expiry)
        if keyspace.is_gone(at):
            keyspace.remove(record)
        else:
            keyspace.set_expiry(record, at)
    elif command.persist and record.expire_ms:
        keyspace.set_expiry(record, 0)
    return record.value


def _time_left(keyspace: Keyspace, command: c.Ttl) -> Result:
    record = keyspace.record(command.key)
    if record is None:
        return -2
    if not record.expire_ms:
        return -1
    ms = record.expire_ms if command.absolute else record.expire_ms - keyspace.estimate_ms
    return (ms + 500) // 1000 if command.seconds else ms


READS: Final[dict[type[c.Command], Callable[[Keyspace, Any], Result]]] = {c.Ttl: _time_left}

WRITES: Final[dict[type[c.Command], Callable[[Keyspace, Any], Result]]] = {
    c.Expire: _expire,
    c.Persist: _persist,
    c.GetEx: _get_and_expire,
}
