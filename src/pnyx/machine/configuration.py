"""The controller's two maps: who should own a shard (numbered), and who serves it now (by epoch).

A configuration is immutable and kept for ever; the next one has the next number. The directory is
one value that changes as moves end. Both are data of the controller's log alone.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from pnyx.consensus.engines import EngineName
from pnyx.ids import SLOT_COUNT, Epoch, GroupId, NodeId, ShardId

NOBODY: Final = GroupId(0)
"""The controller's own number: no shard is ever served by it."""
NEWEST: Final = -1
SHARDS_MAX: Final = SLOT_COUNT
"""A shard has a slot at least."""
GROUP_MAX: Final = GroupId(2**31 - 1)
"""The highest number that a group may have: rows have four bytes for it and the next."""
GROUPS_MAX: Final = 1_024
MEMBERS_MAX: Final = 9
"""Of one group."""
NAME_BYTES_MAX: Final = 255
"""Of a label, and of an address."""


class Member(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A node that has a replica of a group."""

    label: str
    address: str
    """Where its peers reach it, host:port."""
    node: NodeId
    """Which process holds the label as the group joins: its founding members are exactly these."""


class Placement(msgspec.Struct, frozen=True, array_like=True):
    """A group, and where its replicas live."""

    group: GroupId
    members: tuple[Member, ...]
    engine: EngineName = EngineName.RAFT
    """What keeps its log."""


class Configuration(msgspec.Struct, frozen=True, array_like=True):
    """Who should own which shard, and who the groups are."""

    number: int
    targets: tuple[GroupId, ...]
    """By shard; `NOBODY` if and only if there are no groups."""
    placements: tuple[Placement, ...] = ()
    """By group, ascending."""

    @property
    def groups(self) -> tuple[GroupId, ...]:
        """The groups, ascending."""
        return tuple([placement.group for placement in self.placements])


class Serving(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Who serves one shard now."""

    epoch: Epoch = Epoch(0)
    """Grows with each change of hands and each attempt at one. (shard, epoch) names an attempt."""
    group: GroupId = NOBODY
    destination: GroupId = NOBODY
    """Where an undecided move is to bring it; `NOBODY` if none is under way."""


class Directory(msgspec.Struct, frozen=True, array_like=True):
    """Who serves each shard now, and the groups that are left of earlier configurations."""

    shards: tuple[Serving, ...]
    leaving: tuple[Placement, ...] = ()
    """By group, ascending: in no configuration any more, and something is still to be moved away
    from there."""
    departed: tuple[GroupId, ...] = ()
    """Ascending: left, and nothing is to be moved away from there. Each may join again."""
    retired: tuple[GroupId, ...] = ()
    """Ascending: left for ever. Nodes may destroy what they hold of these."""

    def undecided(self) -> list[tuple[ShardId, Serving]]:
        """Return the shards whose move is not over, ascending."""
        return [
            (ShardId(shard), serving)
            for shard, serving in enumerate(self.shards)
            if serving.destination != NOBODY
        ]


def moved(before: Sequence[GroupId], after: Sequence[GroupId]) -> list[ShardId]:
    """Return the shards that go from one group to another, ascending; first owners do not count."""
    return [
        ShardId(shard)
        for shard, (source, target) in enumerate(zip(before, after, strict=True))
        if source not in {target, NOBODY}
    ]


encode = msgspec.msgpack.Encoder().encode
decode_configuration = msgspec.msgpack.Decoder(Configuration).decode
decode_directory = msgspec.msgpack.Decoder(Directory).decode
