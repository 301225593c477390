"""Copies of Raft cores whose clock stands still, and what tells two of them apart.

The copy walks the core's state field by field, so a field that is added is copied and told apart
without anything being changed here. Only clocks are known by name: time is abstracted away, every
copy begins at the same instant, and a clock that nobody listed stops the exploration.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Final

from msgspec.structs import replace

from pnyx.consensus.member.door import Door
from pnyx.consensus.member.log import Log
from pnyx.consensus.member.settings import MemberSettings
from pnyx.consensus.member.start import Start
from pnyx.consensus.member.writes import Writes
from pnyx.consensus.membership import Membership
from pnyx.consensus.raft.raft import Raft
from pnyx.consensus.ready import Delayed, Entry, HardState, RecoveredLog, Write
from pnyx.ids import NodeId
from pnyx.prng import Prng

SETTINGS: Final = MemberSettings()
CLOCKS: Final = {
    "now_ms": 0,
    "heard_ms": 0,
    "active_ms": 0,
    "asked_ms": 0,
    "took_ms": 0,
    "failures": 0,
    "gathered_deadline_ms": 0,
    "farewell_ms": 0,
    "owed_ms": 0,
    "waits_ms": 0,
    "ask_all_ms": 0,
    "notice_due_ms": SETTINGS.notice_ms,
    "ask_again_ms": SETTINGS.heartbeat_ms,
    "heartbeat_deadline_ms": SETTINGS.heartbeat_ms,
    "election_ms": SETTINGS.election_ms_min,
    "election_deadline_ms": SETTINGS.election_ms_min,
    "deadline_ms": SETTINGS.election_ms_max,
}
"""Every clock of a core, and where a copy has it: the present is 0, and just now everybody was
heard. Longer ago is a step of its own (member.py)."""


class _Steady(Prng):
    """Always the least election timeout: which one it is does not matter if any may fire."""

    def below(self, bound: int, stream: str = "") -> int:
        return 0


_STEADY: Final = _Steady(0)
_SLOTS: Final[dict[type, tuple[str, ...]]] = {Raft: Door.__slots__, Log: Log.__slots__}
_SAME_IN_ALL: Final = {*CLOCKS, "settings", "prng"}


class _Shape(Enum):
    SHARED = 0
    FIELDS = 1
    SEQUENCE = 2
    MAPPING = 3


def started(
    node: NodeId, membership: Membership, hard_state: HardState, entries: Sequence[Entry]
) -> Raft:
    """Return the core as it starts from what is durable; its space is empty."""
    return Raft(
        Start(
            me=node,
            membership=membership,
            settings=SETTINGS,
            prng=_STEADY,
            now_ms=0,
            boot=1,
            recovered=RecoveredLog(hard_state, entries=list(entries)),
        )
    )


def copied(raft: Raft) -> Raft:
    """Return a core that may be stepped without the other noticing, its clock set back."""
    twin = _copied(raft)
    assert isinstance(twin, Raft), "a copy is of the same kind"
    return twin


def told_apart(raft: Raft) -> tuple[Any, ...]:
    """Return what two cores must share to behave alike: everything but clocks."""
    apart = _told_apart(raft.state)
    assert isinstance(apart, tuple), "a state has fields"
    return apart


def renumbered(
    raft: Raft, pending: tuple[Write, ...], delayed: tuple[Delayed, ...]
) -> tuple[tuple[Write, ...], tuple[Delayed, ...]]:
    """Count writes from the last durable one again, in a core of ours and what it asked for.

    How many writes a member ever made does not change what it does next, so members that differ in
    that alone are the same.
    """
    writes: Writes = raft.state.writes
    shift = writes.durable_id
    if not shift:
        return pending, delayed
    writes.durable_id = 0
    writes.next_id -= shift
    # Every number up to the last durable one means the same: it waits for nothing.
    writes.ground_id = max(0, writes.ground_id - shift)
    for write in writes.outstanding:
        write.write_id -= shift
    return (
        tuple(replace(write, write_id=write.write_id - shift) for write in pending),
        tuple(replace(one, write_id=one.write_id - shift) for one in delayed),
    )


def _copied(value: Any) -> Any:
    kind: Any = type(value)
    match _shape(kind):
        case _Shape.SHARED:
            return value
        case _Shape.FIELDS:
            return _copied_fields(value)
        case _Shape.SEQUENCE:
            return kind([_copied(one) for one in value])
        case _Shape.MAPPING:
            return {key: _copied(one) for key, one in value.items()}


def _copied_fields(thing: Any) -> Any:
    kind: Any = type(thing)
    twin = object.__new__(kind)
    for name in _fields(kind):
        value = CLOCKS[name] if name in CLOCKS else _copied(getattr(thing, name))
        setattr(twin, name, value)
    return twin


def _told_apart(value: Any) -> Any:
    kind: Any = type(value)
    match _shape(kind):
        case _Shape.SHARED:
            return value
        case _Shape.FIELDS:
            names = [name for name in _fields(kind) if name not in _SAME_IN_ALL]
            return tuple([_told_apart(getattr(value, name)) for name in names])
        case _Shape.SEQUENCE:
            return tuple([_told_apart(one) for one in value])
        case _Shape.MAPPING:
            # In order of the keys: who voted first changes nothing.
            return tuple([(key, _told_apart(value[key])) for key in sorted(value)])


@cache
def _shape(kind: Any) -> _Shape:
    if issubclass(kind, (list, deque)):
        return _Shape.SEQUENCE
    if issubclass(kind, dict):
        return _Shape.MAPPING
    if kind in _SLOTS or (is_dataclass(kind) and not _is_frozen(kind)):
        return _Shape.FIELDS
    assert not issubclass(kind, (set, bytearray)), f"{kind.__name__} is not copied yet"
    return _Shape.SHARED


def _is_frozen(kind: Any) -> bool:
    return bool(kind.__dataclass_params__.frozen)


@cache
def _fields(kind: Any) -> tuple[str, ...]:
    listed = [one.name for one in fields(kind)] if is_dataclass(kind) else _SLOTS[kind]
    unknown = [name for name in listed if name.endswith("_ms") and name not in CLOCKS]
    assert not unknown, f"a clock that the exploration does not know: {kind.__name__} {unknown}"
    return tuple(sorted(listed))
