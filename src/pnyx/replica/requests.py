"""What the outside asks of a replica, and the answers it may get: exactly one, once."""

from collections.abc import Sequence
from enum import Enum
from typing import Any, TypeAlias

import msgspec

from pnyx.ids import NodeId
from pnyx.machine.commands import AnyCommand, Tick
from pnyx.machine.results import Result


class Request(msgspec.Struct):
    """Commands of one client, in order, answered together. Who waits sends the next one after."""

    ticket: Any
    """Whoever asked: handed back with the answer, never looked into. None: nobody wants it."""
    commands: Sequence[AnyCommand]
    by_log: bool
    """True if any command writes. Reads among them then ride in the log, in order."""
    forward: bool
    """May the leader be asked on our behalf (gateway port), or is `Elsewhere` the answer?"""
    stale_role_ok: bool = False
    """Reads only: answer here behind the leader's read index even if we follow (READONLY)."""
    stale: bool = False
    """Reads only: answer from what is applied here, however far behind that is, and ask nobody.
    Safe where the command itself checks what it needs, or whoever asks knows how old it may be."""
    until_ms: int = 0
    """Monotonic; set by the replica: how long it may be parked or tried again."""
    size_bytes: int = 0
    """Set by the replica when it is parked first."""

    @property
    def changes_keys(self) -> bool:
        """Does any command write a key? A `Tick` only tells the time."""
        return any(each.writes and type(each) is not Tick for each in self.commands)


class Reason(Enum):
    """Why surely nothing was appended."""

    NO_QUORUM = "no_quorum"
    """No leader was found, or it lost its quorum, for as long as requests may be parked."""
    OVERLOADED = "overloaded"
    """Uncommitted or parked bytes are at their limit."""
    LOW_SPACE = "low_space"
    """A quorum is short of disk space; reads go on, writes come back by themselves."""
    TOO_LARGE = "too_large"
    """The commands do not fit in one entry."""
    STOPPING = "stopping"
    """This node is shutting down; ask another."""
    CHANGING = "changing"
    """Of changes of members, like all below: another one is under way; try again after it."""
    NOT_CAUGHT_UP = "not_caught_up"
    """The node that was to vote is too slow or silent. It is a learner, and may be promoted later,
    or removed."""
    NOT_MEMBER = "not_member"
    """The node is no member (of the kind that is needed)."""
    TAKEN = "taken"
    """Another node holds the label, or the node another label."""
    LAST_VOTER = "last_voter"
    """Nobody would be left to decide anything."""
    RETIRED = "retired"
    """The node was removed or replaced once. Its id never comes back: wipe its directory, then it
    is a new node."""


class Elsewhere(msgspec.Struct, frozen=True, array_like=True, tag="elsewhere", gc=False):
    """Nothing was done here; `leader` orders this group's requests."""

    leader: NodeId


class NotDone(msgspec.Struct, frozen=True, array_like=True, tag="not_done", gc=False):
    """Nothing was appended, and never will be; the caller may try again anywhere."""

    reason: Reason


class Unknown(msgspec.Struct, frozen=True, array_like=True, tag="unknown", gc=False):
    """The writes may or may not take effect, now or later. The server never sends them again."""


class Done(msgspec.Struct, frozen=True, array_like=True, tag="done"):
    """One result a command, in order."""

    results: tuple[Result, ...]


Answer: TypeAlias = Done | Elsewhere | NotDone | Unknown
