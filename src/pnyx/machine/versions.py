"""Revisions as clients see them: a number that grows with every write of a key; 0 is no key."""

from collections.abc import Callable
from typing import Any, Final

from pnyx.machine import commands as c
from pnyx.machine.expiry import expire_at
from pnyx.machine.keyspace import TOLD_REFUSED, Keyspace
from pnyx.machine.results import Result, Values


def revision_at(keyspace: Keyspace, key: bytes) -> int:
    """Return the revision of `key`, 0 if there is none."""
    record = keyspace.record(key)
    return 0 if record is None else record.revision


def _revisions(keyspace: Keyspace, command: c.Revisions) -> Result:
    return Values(tuple([revision_at(keyspace, key) for key in command.keys]))


def _get_versioned(keyspace: Keyspace, command: c.GetVersioned) -> Result:
    record = keyspace.record(command.key)
    if record is None:
        return None
    is_told = keyspace.may_tell(len(record.value))
    return Values((record.value, record.revision)) if is_told else TOLD_REFUSED


def _compare_and_set(keyspace: Keyspace, command: c.CompareAndSet) -> Result:
    record = keyspace.record(command.key)
    if (0 if record is None else record.revision) != command.revision:
        return None
    expire_ms = 0
    if command.expiry is not None:
        expire_ms = expire_at(keyspace, command.expiry)
    elif command.keep_ttl and record is not None:
        expire_ms = record.expire_ms
    if expire_ms and keyspace.is_gone(expire_ms):
        keyspace.discard(command.key)
    else:
        keyspace.put(command.key, command.value, expire_ms)
    return keyspace.revision


def _clock(keyspace: Keyspace, _: c.Clock) -> Result:
    return keyspace.estimate_ms


READS: Final[dict[type[c.Command], Callable[[Keyspace, Any], Result]]] = {
    c.Revisions: _revisions,
    c.GetVersioned: _get_versioned,
    c.Clock: _clock,
}

WRITES: Final[dict[type[c.Command], Callable[[Keyspace, Any], Result]]] = {
    c.CompareAndSet: _compare_and_set,
}
