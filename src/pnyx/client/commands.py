"""The words of every command that has a method, with redis-py's options.

A builder is what the method of that name in all faces (blocking, asyncio, pipeline) is made of.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from pnyx.client.command import Command
from pnyx.client.errors import CrossSlot
from pnyx.client.wire import Value, Words, raw_of
from pnyx.ids import Slot
from pnyx.machine.slots import slot_of

Span: TypeAlias = int | timedelta
"""A time to live."""
Moment: TypeAlias = int | datetime
"""A point in time since 1970."""

Read: TypeAlias = Literal["linearizable", "stale"]
"""How new a read must be: no older than anything that was read or answered before it, anywhere; or
whatever some node has applied, which may be seconds or, on a node that was cut off, hours old."""

_SECOND_MS: Final = 1000
_SECOND: Final = timedelta(seconds=1)


class Versioned(NamedTuple):
    """A value as it was at a revision: what `cas` wants to know."""

    value: Any
    """None if there is none."""
    revision: int
    """Grows with every write to the key's shard; 0: no such key."""


def _is_there(reply: Any) -> bool | None:
    return None if reply is None else True


def _flag(reply: Any) -> bool:
    return bool(reply)


def _float(reply: Any) -> float:
    return float(reply)


def _versioned(reply: Any) -> Versioned:
    return Versioned(None, 0) if reply is None else Versioned(*reply)


def _may_be_old(read: Read) -> bool:
    if read not in {"linearizable", "stale"}:
        raise ValueError(f'read is "linearizable" or "stale", not {read!r}')
    return read == "stale"


def get(key: Value, *, read: Read = "linearizable") -> Command:
    return Command(("GET", key), key, writes=False, stale=_may_be_old(read))


def set(  # noqa: A001 - redis-py's name
    key: Value,
    value: Value,
    *,
    ex: Span | None = None,
    px: Span | None = None,
    nx: bool = False,
    xx: bool = False,
    keepttl: bool = False,
    get: bool = False,
    exat: Moment | None = None,
    pxat: Moment | None = None,
    ifeq: Value | None = None,
    ifne: Value | None = None,
) -> Command:
    words: Words = ("SET", key, value)
    if ex is None and px is None and exat is None and pxat is None:
        if not (nx or xx or keepttl or get) and ifeq is None and ifne is None:
            return Command(words, key, writes=True, shape=_is_there)
    else:
        words += _expiry(ex=ex, px=px, exat=exat, pxat=pxat)
    for name, is_given in (("NX", nx), ("XX", xx), ("KEEPTTL", keepttl), ("GET", get)):
        if is_given:
            words += (name,)
    if ifeq is not None:
        words += ("IFEQ", ifeq)
    if ifne is not None:
        words += ("IFNE", ifne)
    return Command(words, key, writes=True, shape=None if get else _is_there)


def append(key: Value, value: Value) -> Command:
    return Command(("APPEND", key, value), key, writes=True)


def delete(*keys: Value) -> Command:
    return Command(("DEL", *keys), same_slot(keys, "DEL"), writes=True)


def exists(*keys: Value, read: Read = "linearizable") -> Command:
    key = same_slot(keys, "EXISTS")
    return Command(("EXISTS", *keys), key, writes=False, stale=_may_be_old(read))


def mget(*keys: Value, read: Read = "linearizable") -> Command:
    key = same_slot(keys, "MGET")
    return Command(("MGET", *keys), key, writes=False, stale=_may_be_old(read))


def delex(key: Value, *, ifeq: Value | None = None, ifne: Value | None = None) -> Command:
    words: Words = ("DELEX", key)
    if ifeq is not None:
        words += ("IFEQ", ifeq)
    if ifne is not None:
        words += ("IFNE", ifne)
    return Command(words, key, writes=True, shape=_flag)


def mset(mapping: Mapping[Any, Value]) -> Command:
    flat = tuple(word for pair in mapping.items() for word in pair)
    return Command(("MSET", *flat), same_slot(flat[::2], "MSET"), writes=True, shape=_flag)


def get_versioned(key: Value, *, read: Read = "linearizable") -> Command:
    stale = _may_be_old(read)
    return Command(("PNYX.GETV", key), key, writes=False, shape=_versioned, stale=stale)


def cas(
    key: Value,
    revision: int,
    value: Value,
    *,
    ex: Span | None = None,
    px: Span | None = None,
    exat: Moment | None = None,
    pxat: Moment | None = None,
    keepttl: bool = False,
) -> Command:
    words = ("PNYX.CAS", key, revision, value, *_expiry(ex=ex, px=px, exat=exat, pxat=pxat))
    return Command((*words, "KEEPTTL") if keepttl else words, key, writes=True)


def incr(key: Value, amount: int = 1) -> Command:
    return Command(("INCRBY", key, amount), key, writes=True)


def incrbyfloat(key: Value, amount: float = 1.0) -> Command:
    return Command(("INCRBYFLOAT", key, amount), key, writes=True, shape=_float)


def getdel(key: Value) -> Command:
    return Command(("GETDEL", key), key, writes=True)


def getex(
    key: Value,
    *,
    ex: Span | None = None,
    px: Span | None = None,
    exat: Moment | None = None,
    pxat: Moment | None = None,
    persist: bool = False,
) -> Command:
    words = ("GETEX", key, *_expiry(ex=ex, px=px, exat=exat, pxat=pxat))
    return Command((*words, "PERSIST") if persist else words, key, writes=True)


def expire(
    key: Value,
    time: Span,
    *,
    nx: bool = False,
    xx: bool = False,
    gt: bool = False,
    lt: bool = False,
) -> Command:
    return _expiring("EXPIRE", key, _units(time, 1), nx=nx, xx=xx, gt=gt, lt=lt)


def pexpire(
    key: Value,
    time: Span,
    *,
    nx: bool = False,
    xx: bool = False,
    gt: bool = False,
    lt: bool = False,
) -> Command:
    return _expiring("PEXPIRE", key, _units(time, _SECOND_MS), nx=nx, xx=xx, gt=gt, lt=lt)


def ttl(key: Value, *, read: Read = "linearizable") -> Command:
    return Command(("TTL", key), key, writes=False, stale=_may_be_old(read))


def pttl(key: Value, *, read: Read = "linearizable") -> Command:
    return Command(("PTTL", key), key, writes=False, stale=_may_be_old(read))


def persist(key: Value) -> Command:
    return Command(("PERSIST", key), key, writes=True, shape=_flag)


def listed(keys: Value | Iterable[Value], more: tuple[Value, ...]) -> tuple[Value, ...]:
    """Return all keys, whether they were given one by one or in a collection."""
    if isinstance(keys, bytes | bytearray | memoryview | str | int | float):
        return (keys, *more)
    return (*keys, *more)


def by_slot(keys: tuple[Value, ...]) -> list[tuple[int, ...]]:
    """Return the places of keys that share a slot, slot by slot in order of first mention."""
    places: dict[Slot, list[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault(slot_of(raw_of(key)), []).append(place)
    return [tuple(found) for found in places.values()]


def same_slot(keys: tuple[Value, ...], name: str) -> Value | None:
    """Return the first of keys that share a slot.

    Raises:
        CrossSlot: they do not; nothing was sent.
    """
    if len(by_slot(keys)) > 1:
        raise cross_slot(name)
    return keys[0] if keys else None


def cross_slot(name: str) -> CrossSlot:
    """Return the error of a command whose keys do not share a slot."""
    return CrossSlot(
        f"the keys of {name} do not share a slot; nothing was done",
        cause="only what lies in one slot can be changed at once",
        next_step="give the keys one {tag}, for example {order:7}:lines and {order:7}:total",
    )


def _expiring(name: str, key: Value, units: int, **conditions: bool) -> Command:
    words = (name, key, units, *(word.upper() for word, is_on in conditions.items() if is_on))
    return Command(words, key, writes=True, shape=_flag)


def _expiry(*, ex: Span | None, px: Span | None, exat: Moment | None, pxat: Moment | None) -> Words:
    words: Words = ()
    if ex is not None:
        words += ("EX", _units(ex, 1))
    if px is not None:
        words += ("PX", _units(px, _SECOND_MS))
    if exat is not None:
        words += ("EXAT", _moment(exat, 1))
    if pxat is not None:
        words += ("PXAT", _moment(pxat, _SECOND_MS))
    return words


def _units(span: Span, per_second: int) -> int:
    return span // (_SECOND / per_second) if isinstance(span, timedelta) else span


def _moment(moment: Moment, per_second: int) -> int:
    if isinstance(moment, datetime):
        return int(moment.timestamp() * per_second)
    return moment
