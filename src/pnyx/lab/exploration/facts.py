"""What checks and goals look at: disks, messages in flight, members, and what is past for ever."""

from dataclasses import dataclass, field
from typing import NamedTuple

from pnyx.consensus.raft.messages import RaftMessage
from pnyx.consensus.ready import Entry, HardState, Role, Write
from pnyx.ids import NodeId, Term


@dataclass(frozen=True, slots=True)
class Durable:
    """One member's disk: it changes by whole writes only. Logs are never compacted here."""

    hard_state: HardState = field(default_factory=HardState)
    entries: tuple[Entry, ...] = ()

    def after(self, write: Write) -> "Durable":
        """Return the disk when `write` is on it, too (Figure 7: re-writing an index cuts there)."""
        assert write.compacted is None, "nothing is compacted in an exploration"
        assert write.restart is None, "no snapshot is installed in an exploration"
        entries = self.entries
        if write.entries:
            kept = write.entries[0].index - 1
            assert kept <= len(entries), "a write leaves no gap in the log"
            entries = entries[:kept] + write.entries
        return Durable(write.hard_state or self.hard_state, entries)


class Flight(NamedTuple):
    """A message on its way."""

    sender: NodeId
    to: NodeId
    message: RaftMessage


@dataclass(frozen=True, slots=True)
class Facts:
    """What one member is, for whoever judges it."""

    node: NodeId
    is_up: bool
    role: Role
    term: Term
    voted_for: NodeId | None
    log: tuple[Entry, ...]
    durable: Durable
    commit_index: int

    @property
    def leads(self) -> bool:
        """Does it believe that it leads?"""
        return self.is_up and self.role is Role.LEADER

    @property
    def committed(self) -> tuple[Entry, ...]:
        """The entries it knows to be committed."""
        return self.log[: self.commit_index]


@dataclass(frozen=True, slots=True)
class Past:
    """What stays true whatever happens next: who led, and what was committed."""

    leaders: tuple[tuple[Term, NodeId], ...] = ()
    """Sorted by term."""
    committed: tuple[tuple[Entry, Term], ...] = ()
    """Each committed entry, and the term of whoever first knew that it is."""


class View(NamedTuple):
    """One whole state, as goals see it."""

    members: tuple[Facts, ...]
    past: Past
    commands: int
    """How many there are to propose in this scope."""
