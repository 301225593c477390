"""One instance as a peer sees it: the three roles of paxos.py in one place."""

from dataclasses import dataclass, field, replace
from typing import Final

from pnyx.consensus.instances.record import Closed, Open, Record
from pnyx.consensus.paxos import (
    Accept,
    Accepted,
    Acceptor,
    Ballot,
    Learner,
    Prepare,
    Promise,
    Proposer,
    Value,
)
from pnyx.ids import NodeId
from pnyx.prng import Prng

ROUND_MS: Final = 40
"""The least time between two rounds of a proposer, and between two `Decided`."""
ROUND_MS_MAX: Final = 640
NEVER: Final = 1 << 62


@dataclass(slots=True)
class Instance:
    """A decision, or the way to it."""

    seq: int
    acceptor: Acceptor
    learner: Learner
    proposer: Proposer | None = None
    """While this peer wants it decided."""
    accept: Accept | None = None
    """Asked for in this round."""
    unaware: set[NodeId] = field(default_factory=set)
    """Whom this peer, which has seen it decided, still has to tell."""
    due_ms: int = NEVER
    """When to try again."""
    tries: int = 0

    @property
    def value(self) -> Value | None:
        """The chosen value, if it is known here."""
        return self.learner.learned

    @property
    def record(self) -> Record:
        """What has to be durable of it."""
        if self.learner.learned is not None:
            return Closed(self.learner.learned)
        return Open(*self.acceptor.durable)

    def wait(self, now_ms: int, prng: Prng) -> None:
        """Try again after a while, a longer one each time, and not when others do."""
        pause_ms = min(ROUND_MS << self.tries, ROUND_MS_MAX)
        self.tries = min(self.tries + 1, 10)
        self.due_ms = now_ms + pause_ms + prng.below(pause_ms, "pause")

    def propose(self) -> Prepare:
        """Begin the next round, above everything that is promised here; own promise included."""
        assert self.proposer is not None, "only who wants a value begins a round"
        seen = max(self.proposer.round, self.acceptor.promised.round)
        self.proposer, prepare = replace(self.proposer, round=seen).prepare()
        self.accept = None
        self.acceptor, promise = self.acceptor.prepare(prepare)
        assert promise is not None, "a round above every promise is promised"
        return prepare

    def count_promise(self, promise: Promise) -> Accept | None:
        """Count a promise to this peer's proposer; return what to ask for with the last one."""
        if self.proposer is None or self.value is not None:
            return None
        self.proposer, accept = self.proposer.promised(promise)
        return accept

    def hear(self, accepted: Accepted) -> bool:
        """Count an acceptance; was the value not known to be chosen until now?"""
        if self.value is not None:
            return False
        self.learner = self.learner.accepted(accepted)
        return self.value is not None

    def close(self, value: Value) -> None:
        """Somebody knows the chosen value."""
        self.learner = replace(self.learner, heard=frozenset(), learned=value)

    def settle(self) -> None:
        """Nothing is asked for any more: the value is known."""
        self.proposer = None
        self.accept = None
        self.acceptor = Acceptor(self.acceptor.me, self.acceptor.promised)
        self.due_ms = NEVER
        self.tries = 0

    def raise_round(self, promised: Ballot) -> None:
        """Somebody has promised more: this round is lost, the next one is above."""
        if self.proposer is not None and promised > self.proposer.ballot:
            self.proposer = replace(self.proposer, round=promised.round)

    def disown(self, node: NodeId) -> None:
        """What that acceptor said was said by a disk that is gone: it counts no more.

        A majority then has nobody in it whose loss another of it knows of (Michael et al., DISC
        2017, crash-consistent quorums).
        """
        if self.proposer is not None:
            promises = tuple(one for one in self.proposer.promises if one.acceptor != node)
            self.proposer = replace(self.proposer, promises=promises)
        heard = frozenset(one for one in self.learner.heard if one.acceptor != node)
        self.learner = replace(self.learner, heard=heard)
