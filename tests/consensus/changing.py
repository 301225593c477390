"""Memberships and their changes, for tests."""

import msgspec

from pnyx.consensus.membership import Membership
from pnyx.consensus.raft.messages import (
    AppendEntries,
)
from pnyx.consensus.ready import Entry, EntryKind, Position, Refused
from pnyx.ids import Index, NodeId, Term
from raftalone import Alone
from raftworld import World


def nodes(*numbers: int) -> tuple[NodeId, ...]:
    return tuple(NodeId(number) for number in numbers)


def members(*voters: int, learners: tuple[int, ...] = ()) -> Membership:
    return Membership(nodes(*voters), learners=nodes(*learners))


THREE = members(1, 2, 3)


def world_of(size: int, membership: Membership = THREE) -> World:
    """A world with nodes 1..size that starts with `membership`; 1 leads."""
    world = World(size, membership=membership)
    world.elect(1)
    return world


def change(world: World, target: Membership, leader: int = 1) -> Position | Refused:
    return world[leader].change_membership(target, world.now_ms)


def memberships(world: World, number: int) -> list[Membership]:
    """The memberships that entries of this node's log bring, in order."""
    log = world[number]._state.log
    page = log.page(log.compacted.index, log.last_index, 10_000, 1 << 40)
    return [
        msgspec.msgpack.decode(entry.payload, type=Membership)
        for entry in page
        if entry.kind is EntryKind.MEMBERSHIP
    ]


def brings(index: int, term: int, membership: Membership) -> Entry:
    payload = msgspec.msgpack.encode(membership)
    return Entry(Index(index), Term(term), EntryKind.MEMBERSHIP, payload)


def hears_entries(follower: Alone, term: int, *entries: Entry, previous_term: int = 0) -> None:
    previous = Index(entries[0].index - 1)
    follower.hears(2, AppendEntries(Term(term), previous, Term(previous_term), entries, Index(0)))
