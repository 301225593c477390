"""Who waits for which entry. Every waiter gets one of the four outcomes, once.

Losing leadership or having the entry truncated decides *nothing*: a later leader may still hold
it. So a waiter stays, keyed by (index, term), until that index commits (done, or superseded by
another term's entry), a snapshot jumps over it, or its deadline passes (both: unknown).
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from pnyx.consensus.ready import Position
from pnyx.ids import Index, Term
from pnyx.machine.commands import AnyCommand, Batch, Sequenced, Set, encode
from pnyx.replica.effects import NEVER
from pnyx.replica.limits import ReplicaLimits
from pnyx.replica.requests import Request

LARGE_BYTES: Final = 64 * 1024
"""Of a value: to copy it costs more than to look at it."""


@dataclass(frozen=True, slots=True)
class Drafted:
    """Requests that go into one entry."""

    batch: Batch
    payload: bytes
    requests: Sequence[Request]


def drafted(requests: Sequence[Request], stamp_ms: int, limits: ReplicaLimits) -> Iterator[Drafted]:
    """Yield the entries that `requests` make: one, or more if it would be too large."""
    commands = tuple([command for request in requests for command in request.commands])
    batch = Batch(stamp_ms, limits.value_bytes, commands)
    # What surely is too large is not encoded to find that out: with large values that costs more
    # than all else that is done here.
    is_over = len(requests) > 1 and _value_bytes(commands) > limits.batch_bytes
    payload = b"" if is_over else encode(batch)
    if is_over or (len(payload) > limits.batch_bytes and len(requests) > 1):
        half = len(requests) // 2
        yield from drafted(requests[:half], stamp_ms, limits)
        yield from drafted(requests[half:], stamp_ms, limits)
    else:
        yield Drafted(batch, payload, requests)


def _value_bytes(commands: Sequence[AnyCommand]) -> int:
    """Return how many bytes the values take that `commands` set, as far as all up to it are large.

    Small ones need no such look: it would cost as much as they do.
    """
    total = 0
    for each in commands:
        inner = each.command if type(each) is Sequenced else each
        if type(inner) is not Set or len(inner.value) < LARGE_BYTES:
            break
        total += len(inner.value)
    return total


@dataclass(slots=True, eq=False)
class Proposal:
    """One entry that this replica put into the log as leader."""

    position: Position
    batch: Batch
    """Kept decoded: the leader applies it without parsing its own bytes again."""
    requests: Sequence[Request]
    deadline_ms: int
    settled: bool = False


@dataclass(slots=True)
class Proposals:
    """All proposals whose outcome is open."""

    _by_index: dict[Index, list[Proposal]] = field(default_factory=dict)
    by_deadline: deque[Proposal] = field(default_factory=deque)

    def add(self, proposal: Proposal) -> None:
        """Wait for `proposal`; deadlines only grow from call to call."""
        self._by_index.setdefault(proposal.position.index, []).append(proposal)
        self.by_deadline.append(proposal)

    def committed(self, index: Index, term: Term) -> tuple[Proposal | None, list[Proposal]]:
        """Settle what waits at `index`: (the proposal that is done, those superseded)."""
        waiting = self._by_index.pop(index, None)
        if waiting is None:
            return None, []
        done = None
        superseded: list[Proposal] = []
        for proposal in waiting:
            proposal.settled = True
            if proposal.position.term == term:
                done = proposal
            else:
                superseded.append(proposal)
        self._forget_settled()
        return done, superseded

    def jumped(self, index: Index) -> list[Proposal]:
        """A snapshot covers everything up to `index`: return what is now unknown."""
        covered = sorted(at for at in self._by_index if at <= index)
        unknown = [proposal for at in covered for proposal in self._by_index.pop(at)]
        for proposal in unknown:
            proposal.settled = True
        self._forget_settled()
        return unknown

    def overdue(self, now_ms: int) -> Iterator[Proposal]:
        """Settle and yield the proposals whose deadline has passed: unknown."""
        while self.by_deadline and self.by_deadline[0].deadline_ms <= now_ms:
            proposal = self.by_deadline.popleft()
            if not proposal.settled:
                self._settle(proposal)
                yield proposal

    def all_unknown(self) -> list[Proposal]:
        """Settle and return everything: a stalled disk or a stop leaves it undecided."""
        unknown = [proposal for proposal in self.by_deadline if not proposal.settled]
        for proposal in unknown:
            proposal.settled = True
        self._by_index.clear()
        self.by_deadline.clear()
        return unknown

    @property
    def deadline_ms(self) -> int:
        """When the oldest waiter runs out of patience."""
        return self.by_deadline[0].deadline_ms if self.by_deadline else NEVER

    def __bool__(self) -> bool:
        """Does anybody wait?"""
        return bool(self._by_index)

    def _settle(self, proposal: Proposal) -> None:
        proposal.settled = True
        waiting = self._by_index[proposal.position.index]
        waiting.remove(proposal)
        if not waiting:
            del self._by_index[proposal.position.index]

    def _forget_settled(self) -> None:
        while self.by_deadline and self.by_deadline[0].settled:
            self.by_deadline.popleft()
