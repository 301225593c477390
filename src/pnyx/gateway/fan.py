"""A command that several groups have a part in: cut for each of them, put together again.

What a group does of it is atomic; the whole is not. A part is all of the keys or shards that one
group serves, and a group that does not serve all of them does nothing: then that part alone is cut
again. So each key, and each shard, is looked at or changed exactly once, whatever moves meanwhile.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol, TypeAlias, TypeVar

import msgspec

from pnyx.gateway.domain import Domain, ranges_over, shards_of
from pnyx.gateway.outcomes import ACROSS_GROUPS, WHOLE_STORE
from pnyx.ids import SLOT_COUNT, GroupId
from pnyx.machine import commands as c
from pnyx.machine.configuration import NOBODY
from pnyx.machine.holdings import ranges_of, slots_of as slots_of_command
from pnyx.machine.results import OK, Refusal, Result, Values
from pnyx.machine.shards import first_slot, shard_of_slot
from pnyx.machine.slots import SLOT_SHIFT, slot_of

SCAN_STEPS_MAX: Final = 64
"""Runs of shards that one SCAN looks into; then the client gets what was found so far."""

PIECES_OF_REFUSED: Final = 4
"""A part that was refused is asked for again in so many pieces."""

T = TypeVar("T", bound=msgspec.Struct)
Cut: TypeAlias = list[tuple[GroupId, c.AnyCommand]]
"""What to ask of whom; of `NOBODY`: later."""


class Fan(Protocol):
    """One command's way."""

    def cut(self, rest: c.AnyCommand) -> Cut | Refusal:
        """Return the parts of what is still to be done, or why that cannot be."""
        ...

    def took(self, group: GroupId, part: c.AnyCommand, result: Result) -> c.AnyCommand | None:
        """Take in what a group answered; return what is to be done next because of it."""
        ...

    def refused(self, part: c.AnyCommand) -> None:
        """A group did not serve all of its part: that will be cut again."""
        ...

    def may_end(self) -> bool:
        """Is what is there a reply, though something is left that must wait?"""
        ...

    def result(self) -> Result:
        """Return the reply of the whole."""
        ...


class _Whole:
    """A command that one group does alone: one that needs several is refused."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._result: Result = None

    def cut(self, rest: c.AnyCommand) -> Cut | Refusal:
        groups: set[GroupId | None] = {*map(self._domain.group_of, slots_of_command(rest))}
        refusal = WHOLE_STORE if len(groups) <= 1 else ACROSS_GROUPS
        ranges = ranges_of(rest)
        if ranges:
            owners = self._domain.owners()
            groups.update(owners[shard] for shard in shards_of(ranges, len(owners)))
        if not groups:
            groups.add(self._domain.anyone())
        if NOBODY in groups:
            return [(NOBODY, rest)]
        only = groups.pop()
        return refusal if groups or only is None else [(only, rest)]

    def took(self, _group: GroupId, _part: c.AnyCommand, result: Result) -> c.AnyCommand | None:
        self._result = result
        return None

    def refused(self, part: c.AnyCommand) -> None:
        pass

    def may_end(self) -> bool:
        return False

    def result(self) -> Result:
        return self._result


class _Shared(_Whole):
    """A command whose keys, or shards, each group looks at for itself."""

    def __init__(self, domain: Domain, merge: "_Merge", whole: c.AnyCommand) -> None:
        super().__init__(domain)
        self._merge = merge
        self._whole = whole
        self._parts: list[tuple[c.AnyCommand, Any]] = []
        self._refusal: Refusal | None = None
        self._shards_max = SLOT_COUNT
        """Of a part: while one shard after the other leaves, a large one is always short of one."""

    def cut(self, rest: c.AnyCommand) -> Cut | Refusal:
        named: tuple[bytes, ...] | None = getattr(rest, "keys", None)
        if named is not None:
            keys: dict[GroupId, list[bytes]] = {}
            for key in named:
                keys.setdefault(self._domain.group_of(slot_of(key)), []).append(key)
            return [(one, _with(rest, keys=tuple(some))) for one, some in keys.items()]
        owners = self._domain.owners()
        asked = set(shards_of(ranges_of(rest), len(owners)))
        held: dict[GroupId, list[int]] = {}
        for shard, owner in enumerate(owners):
            if owner is not None and shard in asked:
                held.setdefault(owner, []).append(shard)
        return [
            (one, _with(rest, ranges=ranges_over(shards[at : at + self._shards_max], len(owners))))
            for one, shards in sorted(held.items())
            for at in range(0, len(shards), self._shards_max)
        ]

    def refused(self, part: c.AnyCommand) -> None:
        shards = len(shards_of(ranges_of(part), len(self._domain.owners())))
        self._shards_max = min(self._shards_max, max(1, shards // PIECES_OF_REFUSED))

    def took(self, _group: GroupId, part: c.AnyCommand, result: Result) -> c.AnyCommand | None:
        if isinstance(result, Refusal):
            self._refusal = result
        else:
            self._parts.append((part, result))
        return None

    def result(self) -> Result:
        return self._refusal or self._merge(self._whole, self._parts)


class _Scan(_Whole):
    """SCAN goes from run to run of shards with one owner until its page is full."""

    def __init__(self, domain: Domain, whole: c.Scan) -> None:
        super().__init__(domain)
        self._count = whole.count
        self._keys: list[Result] = []
        self._cursor = 0
        self._steps = 0
        self._is_narrow = False
        """One shard of the run was not there: look at the first one alone."""
        self._refusal: Refusal | None = None

    def cut(self, rest: c.AnyCommand) -> Cut | Refusal:
        assert isinstance(rest, c.Scan), "a scan stays one"
        owners = self._domain.owners()
        count = len(owners)
        slot = rest.cursor >> SLOT_SHIFT
        shard = shard_of_slot(slot, count) if slot < SLOT_COUNT else count
        while shard < count and owners[shard] is None:
            shard += 1
        if shard == count:
            self._cursor = 0
            return []
        group = owners[shard]
        assert group is not None, "others were skipped"
        end = shard + 1
        while not self._is_narrow and end < count and owners[end] == group:
            end += 1
        start = max(rest.cursor, first_slot(shard, count) << SLOT_SHIFT)
        return [(group, _with(rest, cursor=start, last=first_slot(end, count) - 1))]

    def refused(self, part: c.AnyCommand) -> None:
        del part
        self._is_narrow = True

    def may_end(self) -> bool:
        # The cursor says where to go on. Waiting for each shard that moves would take too long.
        return self._steps > 0

    def took(self, _group: GroupId, part: c.AnyCommand, result: Result) -> c.AnyCommand | None:
        assert isinstance(part, c.Scan), "a scan stays one"
        assert part.last is not None, "it was cut"
        if not isinstance(result, Values):
            self._refusal = result if isinstance(result, Refusal) else None
            return None
        cursor, keys = result.members
        assert isinstance(cursor, bytes), "a page has a cursor"
        assert isinstance(keys, Values), "a page has keys"
        self._keys += keys.members
        self._cursor = int(cursor)
        self._steps += 1
        self._is_narrow = False
        is_full = self._cursor < (part.last + 1) << SLOT_SHIFT or len(self._keys) >= self._count
        if is_full or self._steps >= SCAN_STEPS_MAX:
            return None
        return _with(part, cursor=self._cursor, count=self._count - len(self._keys), last=None)

    def result(self) -> Result:
        return self._refusal or Values((b"%d" % self._cursor, Values(tuple(self._keys))))


class _RandomKey(_Whole):
    """RANDOMKEY asks the group of a random slot, and others only if that has no key."""

    def __init__(self, domain: Domain) -> None:
        super().__init__(domain)
        self._asked: set[GroupId] = set()

    def cut(self, rest: c.AnyCommand) -> Cut | Refusal:
        assert isinstance(rest, c.RandomKey), "it stays one"
        owners = self._domain.owners()
        first = shard_of_slot((rest.draw >> SLOT_SHIFT) % SLOT_COUNT, len(owners))
        groups = [one for one in owners[first:] + owners[:first] if one is not None]
        left = [one for one in groups if one not in self._asked]
        return [(next((one for one in left if one != NOBODY), NOBODY), rest)] if left else []

    def took(self, group: GroupId, part: c.AnyCommand, result: Result) -> c.AnyCommand | None:
        self._asked.add(group)
        self._result = result
        return part if result is None else None


def fan_of(command: c.AnyCommand, domain: Domain) -> tuple[Fan, c.AnyCommand]:
    """Return the way of a command, and what is to be done: it with all its ranges."""
    if isinstance(command, c.Scan):
        return _Scan(domain, command), command
    if isinstance(command, c.RandomKey):
        return _RandomKey(domain), command
    whole = _ranged(command, domain)
    merge = _MERGES.get(type(command))
    return (_Whole(domain) if merge is None else _Shared(domain, merge, whole)), whole


def is_of_many(command: c.AnyCommand) -> bool:
    """May several groups have a part in it, so that nothing else may be in its run?"""
    slots = slots_of_command(command)
    return len(set(slots)) != 1 or (type(command) in _HOLDERS and _asks_for_all(command))


def _asks_for_all(command: c.AnyCommand) -> bool:
    if isinstance(command, c.Sequenced):
        return _asks_for_all(command.command)
    inside = command.commands if isinstance(command, c.Transaction) else ()
    return any(type(each) in _OF_ALL for each in inside)


def _ranged(command: c.AnyCommand, domain: Domain) -> c.AnyCommand:
    """Return a command that asks for all keys as one that names all slots."""
    match command:
        case c.Sequenced():
            return _with(command, command=_ranged(command.command, domain))
        case c.Transaction() if _asks_for_all(command):
            return _with(
                command, commands=tuple([_ranged(one, domain) for one in command.commands])
            )
        case c.Scan():
            return _with(command, last=SLOT_COUNT - 1)
        case c.DbSize() | c.Keys() | c.FlushAll() | c.KeyspaceStats():
            return _with(command, ranges=domain.ranges())
        case _:
            return command


def _with(command: T, /, **changes: object) -> T:
    return msgspec.structs.replace(command, **changes)


_Parts: TypeAlias = Sequence[tuple[Any, Any]]
_Merge: TypeAlias = Callable[[Any, _Parts], Result]


def _by_key(whole: c.MGet | c.Revisions, parts: _Parts) -> Result:
    found: dict[bytes, Result] = {}
    for part, result in parts:
        found.update(zip(part.keys, result.members, strict=True))
    return Values(tuple([found[key] for key in whole.keys]))


def _total(_whole: c.AnyCommand, parts: _Parts) -> Result:
    total: int = sum(result for _, result in parts)
    return total


def _totals(_whole: c.AnyCommand, parts: _Parts) -> Result:
    pairs: Iterable[tuple[int, int]] = [result.members for _, result in parts]
    return Values((sum(keys for keys, _ in pairs), sum(expiring for _, expiring in pairs)))


def _joined(_whole: c.AnyCommand, parts: _Parts) -> Result:
    return Values(tuple([key for _, result in parts for key in result.members]))


def _all_done(_whole: c.AnyCommand, _parts: _Parts) -> Result:
    return OK


_MERGES: Final[dict[type[Any], _Merge]] = {
    c.MGet: _by_key,
    c.Revisions: _by_key,
    c.Del: _total,
    c.Exists: _total,
    c.DbSize: _total,
    c.KeyspaceStats: _totals,
    c.Keys: _joined,
    c.FlushAll: _all_done,
}
_OF_ALL: Final = frozenset({c.DbSize, c.KeyspaceStats, c.Keys, c.FlushAll, c.Scan, c.RandomKey})
_HOLDERS: Final = frozenset({c.Transaction, c.Sequenced})
