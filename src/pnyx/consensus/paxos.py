"""How one value is chosen, and never another: the three roles of Paxos Made Simple §2.

    Proposer   asks acceptors to promise a ballot, then to accept a value in it
    Acceptor   promises and accepts; what it holds is durable before its answer leaves
    Learner    hears what acceptors accepted, and knows when a value is chosen

Each is a value: what it hears makes the next one, and perhaps a message. Messages may be lost,
doubled and reordered. All of a proposer's go to every acceptor; an acceptor's `Promise` goes to
the ballot's node, its `Accepted` to every learner. This is the lesson that `instances/` builds on,
and `multipaxos/` for a log; nothing in production runs it.
"""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct

from pnyx.ids import NodeId

Value: TypeAlias = bytes


class Ballot(NamedTuple):
    """The paper's proposal number: two proposers never have the same one."""

    round: int
    """From 1."""
    node: NodeId
    """Whose it is."""


NO_BALLOT: Final = Ballot(0, NodeId(0))
"""Below every ballot."""


class Proposal(NamedTuple):
    """A value in a ballot; a ballot has at most one."""

    ballot: Ballot
    value: Value


class Prepare(Struct, frozen=True):
    """Phase 1a: promise this ballot."""

    ballot: Ballot


class Promise(Struct, frozen=True):
    """Phase 1b: nothing below the ballot will be accepted any more."""

    ballot: Ballot
    acceptor: NodeId
    accepted: Proposal | None
    """The highest that was accepted so far."""


class Accept(Struct, frozen=True):
    """Phase 2a: accept this."""

    proposal: Proposal


class Accepted(Struct, frozen=True):
    """Phase 2b: it is accepted."""

    proposal: Proposal
    acceptor: NodeId


@dataclass(frozen=True, slots=True)
class Proposer:
    """Wants its value chosen, or finishes what another has begun."""

    me: NodeId
    value: Value
    """Its own, for when nothing was accepted."""
    quorum: int
    """How many acceptors are a majority."""
    round: int = 0
    """Durable before `Prepare` leaves: a ballot is used once."""
    promises: tuple[Promise, ...] = ()
    """Of this round, one an acceptor."""
    proposal: Proposal | None = None
    """Of this round, once a majority has promised."""

    @property
    def ballot(self) -> Ballot:
        """The ballot of this round."""
        return Ballot(self.round, self.me)

    def prepare(self) -> tuple["Proposer", Prepare]:
        """Begin the next round; the one before is abandoned, which is always safe (§2.3)."""
        after = replace(self, round=self.round + 1, promises=(), proposal=None)
        return after, Prepare(after.ballot)

    def promised(self, promise: Promise) -> tuple["Proposer", Accept | None]:
        """With promises of a majority, ask for the value that they allow (§2.2, phase 2a)."""
        known = {one.acceptor for one in self.promises}
        if promise.ballot != self.ballot or promise.acceptor in known or self.proposal:
            return self, None
        promises = tuple(sorted((*self.promises, promise), key=lambda one: one.acceptor))
        if len(promises) < self.quorum:
            return replace(self, promises=promises), None
        proposal = Proposal(self.ballot, self.allowed(promises))
        # Which promises they were matters no more.
        return replace(self, promises=(), proposal=proposal), Accept(proposal)

    def allowed(self, promises: tuple[Promise, ...]) -> Value:
        """Return the value accepted in the highest ballot among them, else the own one (P2c).

        It may be chosen already: a majority that accepted it shares an acceptor with this one.
        """
        accepted = [one.accepted for one in promises if one.accepted]
        return max(accepted, key=lambda one: one.ballot).value if accepted else self.value


class Durable(NamedTuple):
    """What an acceptor must have on disk before an answer that depends on it leaves."""

    promised: Ballot = NO_BALLOT
    accepted: Proposal | None = None


@dataclass(frozen=True, slots=True)
class Acceptor:
    """Remembers the highest ballot it promised and the highest proposal it accepted (§2.2)."""

    me: NodeId
    promised: Ballot = NO_BALLOT
    accepted: Proposal | None = None

    @property
    def durable(self) -> Durable:
        """All of it: what a restart forgot, others may have counted on."""
        return Durable(self.promised, self.accepted)

    def restarted(self) -> "Acceptor":
        """Return what comes back after a crash."""
        return Acceptor(self.me, *self.durable)

    def prepare(self, message: Prepare) -> tuple["Acceptor", Promise | None]:
        """Promise a ballot above every promise so far; the same one again, for lost answers."""
        if message.ballot < self.promised:
            return self, None
        after = replace(self, promised=message.ballot)
        return after, Promise(message.ballot, self.me, self.accepted)

    def accept(self, message: Accept) -> tuple["Acceptor", Accepted | None]:
        """Accept unless a higher ballot was promised (P1a).

        Accepting raises the promise: it may come without one, and what a lower ballot could
        still put in its place may be chosen.
        """
        if message.proposal.ballot < self.promised:
            return self, None
        after = replace(self, promised=message.proposal.ballot, accepted=message.proposal)
        return after, Accepted(message.proposal, self.me)


@dataclass(frozen=True, slots=True)
class Learner:
    """Knows a value is chosen once a majority accepted it in one ballot (§2.3)."""

    quorum: int
    heard: frozenset[Accepted] = frozenset()
    """Until it knows."""
    learned: Value | None = None

    def accepted(self, message: Accepted) -> "Learner":
        """Count different acceptors of the same ballot: no other count proves anything."""
        if self.learned is not None:
            return self
        heard = self.heard | {message}
        same = {one.acceptor for one in heard if one.proposal.ballot == message.proposal.ballot}
        if len(same) < self.quorum:
            return replace(self, heard=heard)
        return Learner(self.quorum, learned=message.proposal.value)
