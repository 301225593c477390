"""What a consensus core is told and what it asks for: data only, shared by all engines.

`Ready` carries the safety order, written once:

1. `write` is one atomic record with a monotone `write_id`; the owner makes it durable and then
   says ``persisted(write_id)``. Re-writing an index cuts the log there (Figure 7).
2. `send` may leave at once.
3. `send_when_durable`: each envelope waits for the write it names (and all before it).
4. `committed`: to apply, in order, once. Only entries that are durable *here*.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import msgspec

from pnyx.ids import Index, NodeId, Term


class EntryKind(IntEnum):
    """What an entry's payload is."""

    COMMANDS = 0
    """A batch of commands for the machine (machine/commands.py, `Batch`)."""
    EMPTY = 1
    """A new leader's first entry; applying it does nothing (Raft §8)."""
    MEMBERSHIP = 2
    """An encoded `Membership`, effective as soon as it is in the log."""


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One position of the log."""

    index: Index
    term: Term
    kind: EntryKind
    payload: bytes


class HardState(msgspec.Struct, frozen=True, array_like=True):
    """What a replica must still know after a crash, besides its log (Raft Fig. 2)."""

    term: Term = Term(0)
    voted_for: NodeId | None = None


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """A position and the term of the entry there: the boundary a log starts after."""

    index: Index = Index(0)
    term: Term = Term(0)


@dataclass(slots=True)
class RecoveredLog:
    """What a replica finds on its disk when it starts, all of it durable."""

    hard_state: HardState = field(default_factory=HardState)
    compacted: Mark = field(default_factory=Mark)
    entries: list[Entry] = field(default_factory=list)
    """Contiguous from ``compacted.index + 1``."""
    accepted: Term = Term(0)
    """Multi-Paxos: the round that the log is accepted in; 0 with Raft."""


class Acceptance(msgspec.Struct, frozen=True, array_like=True):
    """Multi-Paxos: the round in which a log was accepted, and where that log ends."""

    term: Term
    last_index: Index


class Role(IntEnum):
    """What a replica is in its group right now."""

    FOLLOWER = 0
    PRE_CANDIDATE = 1
    CANDIDATE = 2
    LEADER = 3


class Write(msgspec.Struct, frozen=True, gc=False):
    """One atomic record for the write-ahead log."""

    write_id: int
    hard_state: HardState | None = None
    entries: tuple[Entry, ...] = ()
    """Contiguous. If the first index is already in the log, that and all after it are void."""
    compacted: Mark | None = None
    """Entries up to and including this may be forgotten; those above it stay."""
    restart: Mark | None = None
    """A snapshot was installed: the whole log before this record is void unless it agrees here."""
    accepted: Acceptance | None = None
    """Of Multi-Paxos alone: after `entries`, what lies past its end is void."""


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """A message of one consensus core to another, and where it goes."""

    to: NodeId
    message: Any
    """One of the engine's own message structs; see e.g. consensus/raft/messages.py."""


class Delayed(msgspec.Struct, frozen=True, gc=False):
    """An envelope that promises something: it leaves when `write_id` is durable, never before."""

    write_id: int
    envelope: Envelope


class Position(msgspec.Struct, frozen=True, gc=False):
    """Where a proposal was put. It is done when an entry of this term commits at this index."""

    index: Index
    term: Term


class Refused(msgspec.Struct, frozen=True, gc=False):
    """The proposal was never appended; it may be tried again anywhere."""

    reason: str
    """Of a proposal: not leader, transferring, full, too large, stalled. Of a change of members
    see `Consensus.change_membership`."""


class ReadRelease(msgspec.Struct, frozen=True, gc=False):
    """A read barrier came back: reads of `ticket` may be answered once `index` is applied.

    `index` is None if the barrier was refused; the read did nothing and may be tried again.
    """

    ticket: int
    index: Index | None


class Ready(msgspec.Struct, frozen=True, gc=False):
    """One batch of effects; see the module's text for the order."""

    write: Write | None = None
    send: tuple[Envelope, ...] = ()
    send_when_durable: tuple[Delayed, ...] = ()
    committed: tuple[Entry, ...] = ()
    reads: tuple[ReadRelease, ...] = ()
    snapshots: tuple[NodeId, ...] = ()
    """Peers whose next entry is compacted: stream a snapshot, then `snapshot_sent`. Each once."""
    more: bool = False
    """Ask again at once: there may be more to do, though nothing happens meanwhile."""
