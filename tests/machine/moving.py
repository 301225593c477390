"""Two groups that share a keyspace, a move of one shard between them, and all that goes astray.

Entries are told one by one; every message of a move may be told again at any later time. A second
replica of each group applies the same entries, later.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from machine.driving import GROUP, LIMIT_BYTES, START_MS, dump, pair
from pnyx.consensus.ready import Entry
from pnyx.ids import Epoch, GroupId, ShardId
from pnyx.machine.commands import AnyCommand, Batch, Sequenced
from pnyx.machine.group import Group
from pnyx.machine.holdings import COPIED, Holdings, Shard, hash_of
from pnyx.machine.moves import (
    Changes,
    Chunk,
    FoundShards,
    MoveAccept,
    MoveActivate,
    MoveBegin,
    MoveChanges,
    MoveChunk,
    MoveFreeze,
    ReadChanges,
    ReadChunk,
    decode_changes,
    decode_chunk,
    decode_frozen,
)
from pnyx.machine.moving import SHARDS
from pnyx.machine.results import Result
from pnyx.machine.rows import KIND_DATA, PREFIX_BYTES, group_prefix
from pnyx.machine.slots import slot_of
from pnyx.storage.memory import MemorySpace

COUNT = 4
"""Shards."""
FIRST = Epoch(1)
SHARD = ShardId(1)
"""The one that moves."""
SESSION = b"s" * 16
USER = b"default"


class Side:
    """One group: a replica that leads, and one that is behind."""

    def __init__(self, number: int, shards: tuple[int, ...]) -> None:
        self.number = GroupId(number)
        self.group = Group(MemorySpace(), GROUP, SHARDS, shards=COUNT)
        self.behind = Group(MemorySpace(), GROUP, SHARDS, shards=COUNT)
        self.entries: list[tuple[Entry, Batch]] = []
        self.now_ms = START_MS
        self.tell(FoundShards(tuple(map(ShardId, shards)), FIRST))

    def tell(self, *commands: AnyCommand) -> Result:
        """Apply one entry; return the result of its last command."""
        return self.tell_all(*commands)[-1]

    def tell_all(self, *commands: AnyCommand) -> list[Result]:
        """Apply one entry; return the results of its commands."""
        entry = pair(len(self.entries) + 1, Batch(self.now_ms, LIMIT_BYTES, commands))
        self.entries.append(entry)
        return self.group.apply([entry])[0]

    def follow(self, entries: int) -> None:
        """Let the replica behind apply so many more, at once."""
        first = self.behind.applied.index
        self.behind.apply(self.entries[first : first + entries])

    def read(self, command: AnyCommand) -> Result:
        results = self.group.read((command,), 0)
        assert results is not None
        return results[0]

    def shard(self, shard: int) -> Shard:
        return held_by(self.group)[shard]


def held_by(group: Group) -> list[Shard]:
    """Return what a group says of its shards in its rows."""
    prefix = group_prefix(GROUP, 1)
    return Holdings(group.space, prefix, COUNT).shards


def counted(group: Group, shard: int) -> tuple[int, int]:
    """Count a shard's keys and the hashes of its rows, row by row."""
    holdings = Holdings(group.space, group_prefix(GROUP, 1), COUNT)
    keys = content = 0
    for bounds in (holdings.data_range(shard), holdings.session_range(shard)):
        for row_key, row in group.space.scan(*bounds):
            key = row_key[PREFIX_BYTES:]
            keys += key[:1] == KIND_DATA
            content += hash_of(key, row)
    return keys, content & (2**64 - 1)


def rows_of(group: Group, shard: int) -> list[tuple[bytes, bytes]]:
    """Return the rows of a shard's keys and sessions."""
    holdings = Holdings(group.space, group_prefix(GROUP, 1), COUNT)
    bounds = (holdings.data_range(shard), holdings.session_range(shard))
    return [row for each in bounds for row in group.space.scan(*each)]


def key_in(shard: int, number: int = 0) -> bytes:
    """Return a key of a shard: the same for the same number."""
    return next(_keys(shard, number))


def _keys(shard: int, number: int) -> Iterator[bytes]:
    at = 0
    for attempt in range(100_000):
        key = b"k%d" % attempt
        if slot_of(key) * COUNT // (1 << 14) == shard:
            if at == number:
                yield key
            at += 1


@dataclass
class Copying:
    """The driver of one move, which forgets nothing and trusts no reply."""

    source: Side
    destination: Side
    shard: ShardId
    epoch: Epoch
    chunk_bytes: int = 64
    told: list[tuple[Side, AnyCommand]] = field(default_factory=list)
    """Everything that was ever sent, in earlier attempts too."""
    sent: list[tuple[Side, AnyCommand]] = field(default_factory=list)
    """In this one."""

    def send(self, side: Side, command: AnyCommand) -> Result:
        self.told.append((side, command))
        self.sent.append((side, command))
        return side.tell(command)

    def begin(self) -> Result:
        return self.send(self.source, MoveBegin(self.shard, self.epoch, self.destination.number))

    def accept(self) -> Result:
        return self.send(self.destination, MoveAccept(self.shard, self.epoch, self.source.number))

    def chunk(self, *, behind: bool = False) -> Chunk | None:
        """Read the next chunk at a replica of the source, and tell the destination."""
        group = self.source.behind if behind else self.source.group
        after = self.destination.shard(self.shard).cursor
        chunk = chunk_at(group, self.shard, self.epoch, after, self.chunk_bytes)
        if chunk is not None:
            self.send(self.destination, MoveChunk(self.shard, self.epoch, chunk))
        return chunk

    def changes(self, *, behind: bool = False, bytes_max: int = 64) -> Result:
        group = self.source.behind if behind else self.source.group
        done = self.destination.shard(self.shard).changes
        changes = changes_at(group, self.shard, self.epoch, done, bytes_max)
        if changes is None:
            return None
        return self.send(self.destination, MoveChanges(self.shard, self.epoch, changes))

    def freeze(self) -> Result:
        return self.send(self.source, MoveFreeze(self.shard, self.epoch))

    def activate(self) -> Result:
        """Freeze, and activate with the changes that are left."""
        frozen = self.freeze()
        if not isinstance(frozen, bytes):
            return None
        done = self.destination.shard(self.shard).changes
        changes = changes_at(self.source.group, self.shard, self.epoch, done, 1 << 20)
        if changes is None:
            return None
        last = MoveActivate(self.shard, self.epoch, decode_frozen(frozen), changes)
        return self.send(self.destination, last)

    def copy_all(self) -> None:
        """Copy until nothing is left but what changes meanwhile."""
        for _ in range(1_000):
            if self.destination.shard(self.shard).cursor == COPIED:
                return
            self.chunk()
        raise AssertionError("a copy comes to its end")


def chunk_at(
    group: Group, shard: ShardId, epoch: Epoch, after: bytes, bytes_max: int
) -> Chunk | None:
    """Return what a replica of the source answers who copies from there; None: not its move."""
    told = group.read((ReadChunk(shard, epoch, after, bytes_max),), 0)
    return decode_chunk(told[0]) if told and isinstance(told[0], bytes) else None


def changes_at(
    group: Group, shard: ShardId, epoch: Epoch, after: int, bytes_max: int
) -> Changes | None:
    """Return what a replica of the source tells of the change log; None: it cannot."""
    told = group.read((ReadChanges(shard, epoch, after, bytes_max),), 0)
    return decode_changes(told[0]) if told and isinstance(told[0], bytes) else None


def serving(sides: tuple[Side, Side], shard: int) -> list[Side]:
    """Return who serves a shard."""
    return [side for side in sides if side.shard(shard).served]


def same_rows(side: Side) -> bool:
    """Does the replica behind come to the very same rows?"""
    side.follow(len(side.entries))
    return dump(side.group.space) == dump(side.behind.space)


def sides() -> tuple[Side, Side]:
    """Return a group that serves all shards, and one that serves none."""
    return Side(1, tuple(range(COUNT))), Side(2, ())


def sequenced(key: bytes, sequence: int, command: AnyCommand) -> Sequenced:
    deadline_ms = START_MS + 1_000_000
    return Sequenced(slot_of(key), SESSION, USER, sequence, 0, deadline_ms, sequence, command)
