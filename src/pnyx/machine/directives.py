"""What is asked of the controller, as data; what its answers hold is in configuration.py.

Directives stand in entries as commands do. Those that change something give the newest
configuration, encoded, or a `Refusal` and change nothing.
"""

from typing import ClassVar, TypeAlias, Union

import msgspec

from pnyx.ids import Epoch, GroupId, ShardId
from pnyx.machine.configuration import NEWEST, Placement


class Directive(msgspec.Struct, frozen=True, array_like=True):
    """Base of all: says whether it changes anything."""

    writes: ClassVar[bool] = False


class Order(Directive, frozen=True, array_like=True):
    """Base of those that must go through the log."""

    writes: ClassVar[bool] = True


# What operators ask for: each that has an effect makes one configuration.


class Found(Order, frozen=True, array_like=True, tag="found", gc=False):
    """Make configuration 0, in which nobody has a shard. Once; the count never changes."""

    shard_count: int
    """1 to `SHARDS_MAX`."""


class Join(Order, frozen=True, array_like=True, tag="join_groups", gc=False):
    """Let new groups have their part of the shards."""

    placements: tuple[Placement, ...]
    shared: bool = False
    """May their nodes have other groups, too? Else a node is in one group: it takes only one
    mistyped label to make one machine's loss the loss of two groups."""


class Leave(Order, frozen=True, array_like=True, tag="leave_groups", gc=False):
    """Give the shards of these groups to the others."""

    groups: tuple[GroupId, ...]


class Retire(Order, frozen=True, array_like=True, tag="retire_group", gc=False):
    """Let a group that left never come back: its replicas are destroyed, its number is used up.

    Makes no configuration, for the group is in none any more.
    """

    group: GroupId


class Move(Order, frozen=True, array_like=True, tag="move_shard", gc=False):
    """Let one shard go to a group. It stays there until the next join or leave."""

    shard: ShardId
    group: GroupId


# What groups report of the shards they have. Repeated, late or doubled reports change nothing.


class MoveCommitted(Order, frozen=True, array_like=True, tag="move_committed", gc=False):
    """`group` serves the shard from `epoch` on: the move to it was activated. OK."""

    shard: ShardId
    epoch: Epoch
    group: GroupId


class MoveFailed(Order, frozen=True, array_like=True, tag="move_failed", gc=False):
    """The source serves the shard again, from `epoch` on: the move was aborted or rejected. OK."""

    shard: ShardId
    epoch: Epoch


class Vacated(Order, frozen=True, array_like=True, tag="vacated", gc=False):
    """Its group has given up the shard, which held nothing; nobody serves it now. OK."""

    shard: ShardId
    epoch: Epoch
    """The one after that in which it was served."""


# What is read.


class Query(Directive, frozen=True, array_like=True, tag="query", gc=False):
    """The configuration of that number, encoded; above the newest, the newest."""

    number: int = NEWEST


class Whereabouts(Directive, frozen=True, array_like=True, tag="whereabouts", gc=False):
    """The directory, encoded: who serves each shard now."""


class Plan(Directive, frozen=True, array_like=True, tag="plan", gc=False):
    """The configuration that a change would make now, encoded, or its refusal. Changes nothing."""

    change: Join | Leave | Move


Change: TypeAlias = Join | Leave | Move
AnyDirective: TypeAlias = Union[  # noqa: UP007
    Found, Join, Leave, Retire, Move, MoveCommitted, MoveFailed, Vacated, Query, Whereabouts, Plan
]
