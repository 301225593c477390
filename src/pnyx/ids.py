"""Names for the numbers that cross floors.

A bare ``int`` does not say what it counts. Each of these is an ``int`` at run
time and a distinct type to the checker, so a term is never passed for an index.
"""

from typing import Annotated, Final, NewType

import msgspec

ID_MAX: Final = (1 << 63) - 1
"""No node, term or index is larger, wherever it is read from: the log has 64 bits for each, so what
comes after the largest can still be written."""

_Bounded = Annotated[int, msgspec.Meta(ge=0, le=ID_MAX)]
"""msgspec refuses what is outside when it decodes; nobody else looks."""

NodeId = NewType("NodeId", _Bounded)
"""One pnyx process, for all time: 63 random bits, drawn when its data directory is made."""

GroupId = NewType("GroupId", Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)])
"""One replica group: the replicas that share a log. 0 is the controller."""

Term = NewType("Term", _Bounded)
"""A period with at most one leader. Starts at 0 and only grows (Raft §5.1)."""

Index = NewType("Index", _Bounded)
"""A position in a group's log. The first entry is 1; 0 is 'before the first'."""

Slot = NewType("Slot", int)
"""A Redis Cluster hash slot, ``0 <= slot < SLOT_COUNT``."""

Revision = NewType("Revision", int)
"""A write counter: the version of a value. 0 is 'no such key'."""

ShardId = NewType("ShardId", int)
"""A fixed run of slots, the unit that moves between groups: ``0 <= shard < shard count``."""

Epoch = NewType("Epoch", int)
"""A shard's ownership generation; grows with each change of hands. 0 is 'never served'."""

SLOT_COUNT: Final = 16_384
