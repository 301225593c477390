"""What is durable of an instance, and what a peer finds when it starts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from msgspec import Struct

from pnyx.consensus.paxos import Ballot, Proposal, Value
from pnyx.ids import NodeId


class Open(Struct, frozen=True, tag=True):
    """An acceptor's promise and what it has accepted."""

    promised: Ballot
    accepted: Proposal | None


class Closed(Struct, frozen=True, tag=True):
    """A chosen value: no promise matters any more."""

    value: Value


Record: TypeAlias = Open | Closed


class Standing(Struct, frozen=True):
    """What is durable beside the instances."""

    births: dict[NodeId, int]
    """Of every peer the newest disk that was heard of."""
    done: dict[NodeId, int]
    is_refilled: bool
    """Does this disk know what its predecessor promised? True of a first disk."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a disk holds when its peer starts."""

    birth: int = 0
    """0 for a peer's first disk; a later disk has a higher number than any before."""
    standing: Standing | None = None
    records: Mapping[int, Record] = field(default_factory=dict)


class Entry(Struct, frozen=True):
    """One change of what is durable; None of a record: it is forgotten."""

    seq: int
    record: Record | None


@dataclass(frozen=True, slots=True)
class Write:
    """What has to be durable, all of it or nothing."""

    entries: tuple[Entry, ...] = ()
    standing: Standing | None = None
    """If it has changed."""

    @property
    def is_empty(self) -> bool:
        """Is there nothing to write?"""
        return not self.entries and self.standing is None
