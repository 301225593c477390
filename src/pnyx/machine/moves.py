"""The entries and reads of a move, as data: how a shard goes from one group to another.

``(shard, epoch)`` names the attempt in every one of them, and each is checked when it is applied.
One that is late, doubled or of an older attempt does nothing and says so (`VOID`).
"""

from typing import Final, TypeAlias, Union

import msgspec

from pnyx.ids import Epoch, GroupId, Revision, ShardId
from pnyx.machine.directives import Directive, Order

Effect: TypeAlias = tuple[bytes, bytes | None]
"""A row's key behind its generation, and the row, None if it was deleted. Absolute, so it may be
applied to a copy that holds it already. The key `CLEAR` alone deletes all keys of the shard."""


ROW_BYTES: Final = 512
"""What a row weighs beyond its own bytes: to read, pack and put a small one takes as long as these
would, and a chunk's weight bounds how long a loop is held up by it."""


class Chunk(msgspec.Struct, frozen=True, array_like=True):
    """Rows of a shard in key order, off one consistent state of a replica of the source."""

    after: bytes
    """Where it begins: the cursor of the chunk before, empty at the beginning."""
    upto: bytes
    """The cursor after it: all rows up to here are copied."""
    at: int
    """The number of the last change that this state knew of."""
    rows: tuple[tuple[bytes, bytes], ...]


class Changes(msgspec.Struct, frozen=True, array_like=True):
    """What commands did to a shard since the move began, in order."""

    first: int
    """The number of the first; they count from 1 in each attempt."""
    effects: tuple[tuple[Effect, ...], ...]
    """Of each change."""


class Frozen(msgspec.Struct, frozen=True, array_like=True):
    """What a shard was when it stopped changing."""

    revision: Revision
    """The source group's, as its clock."""
    clock_ms: int
    keys: int
    content: int
    """The sum of the hashes of all rows."""
    changes: int
    """The number of the last change."""


class FoundShards(Order, frozen=True, array_like=True, tag="found_shards"):
    """This group serves these shards, which nobody served before: they are empty. OK."""

    shards: tuple[ShardId, ...]
    epoch: Epoch


# At the source.


class MoveBegin(Order, frozen=True, array_like=True, tag="move_begin", gc=False):
    """From here on each change of the shard is written down, too. OK."""

    shard: ShardId
    epoch: Epoch
    destination: GroupId


class MoveForget(Order, frozen=True, array_like=True, tag="move_forget", gc=False):
    """The destination has committed the changes up to that number. OK."""

    shard: ShardId
    epoch: Epoch
    number: int


class MoveFreeze(Order, frozen=True, array_like=True, tag="move_freeze", gc=False):
    """From here on the shard never changes and is not served: `Frozen`, encoded."""

    shard: ShardId
    epoch: Epoch


class MoveDone(Order, frozen=True, array_like=True, tag="move_done", gc=False):
    """The destination serves it: what is here is deleted. OK."""

    shard: ShardId
    epoch: Epoch


class MoveAbort(Order, frozen=True, array_like=True, tag="move_abort", gc=False):
    """Give the attempt up before the freeze. OK."""

    shard: ShardId
    epoch: Epoch


class MoveRejected(Order, frozen=True, array_like=True, tag="move_rejected", gc=False):
    """The destination's log says that it never activated this: the source serves it again. OK."""

    shard: ShardId
    epoch: Epoch


class ReadChunk(Directive, frozen=True, array_like=True, tag="read_chunk", gc=False):
    """Rows of a leaving shard behind the cursor `after`: a `Chunk`, encoded.

    `VOID` where the move has not begun yet, or is over. So any replica of the source may answer,
    however far behind it is.
    """

    shard: ShardId
    epoch: Epoch
    after: bytes
    """Where the chunk before ended; empty at the beginning."""
    bytes_max: int
    """About so many bytes of rows, `ROW_BYTES` for each included; one row at least."""


class ReadChanges(Directive, frozen=True, array_like=True, tag="read_changes", gc=False):
    """What commands did to a leaving shard behind change `after`: `Changes`, encoded. As above."""

    shard: ShardId
    epoch: Epoch
    after: int
    bytes_max: int


# At the destination.


class MoveAccept(Order, frozen=True, array_like=True, tag="move_accept", gc=False):
    """Make room: what is here of the shard is deleted, and clients see none of what comes. OK."""

    shard: ShardId
    epoch: Epoch
    source: GroupId


class MoveChunk(Order, frozen=True, array_like=True, tag="move_chunk"):
    """Put the rows of a chunk that begins where the copy ends. OK."""

    shard: ShardId
    epoch: Epoch
    chunk: Chunk


class MoveChanges(Order, frozen=True, array_like=True, tag="move_changes"):
    """Do the changes that follow those that were done. OK."""

    shard: ShardId
    epoch: Epoch
    changes: Changes


class MoveActivate(Order, frozen=True, array_like=True, tag="move_activate"):
    """Do the last changes and serve the shard: `ACTIVATED`, or `REJECTED` if it is not the same."""

    shard: ShardId
    epoch: Epoch
    frozen: Frozen
    changes: Changes


class MoveResolve(Order, frozen=True, array_like=True, tag="move_resolve", gc=False):
    """Say how the attempt ended: `ACTIVATED`, or `REJECTED`, which it is from here on for ever."""

    shard: ShardId
    epoch: Epoch


AnyMove: TypeAlias = Union[  # noqa: UP007
    FoundShards, MoveBegin, MoveForget, MoveFreeze, MoveDone, MoveAbort, MoveRejected,
    ReadChunk, ReadChanges, MoveAccept, MoveChunk, MoveChanges, MoveActivate, MoveResolve
]  # fmt: skip

encode = msgspec.msgpack.Encoder().encode
decode_frozen = msgspec.msgpack.Decoder(Frozen).decode
decode_chunk = msgspec.msgpack.Decoder(Chunk).decode
decode_changes = msgspec.msgpack.Decoder(Changes).decode
