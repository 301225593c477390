"""Reads that wait to learn which index they must see (ReadIndex, dissertation §6.4).

A leader may answer a read without the log once it knows that it still led after the read arrived.
It learns that from a heartbeat round begun later: the reads gathered until then share the round.
Rounds are this node's own counter and are never reset, so an old answer never confirms a newer
read. One round of reads is confirmed at a time; what arrives meanwhile gathers for the next.

On a follower the gathered reads become one question to the leader.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from pnyx.consensus.ready import ReadRelease
from pnyx.ids import Index, NodeId


class Ticket(NamedTuple):
    """Who waits. A question of an earlier boot of that node has other numbers."""

    node: NodeId
    boot: int
    counter: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Reads that share one heartbeat round, or one question to the leader."""

    number: int
    """The round, or the question's counter."""
    index: Index
    """What the reads must see, if the round is confirmed."""
    tickets: tuple[Ticket, ...]
    deadline_ms: int


@dataclass(slots=True)
class Reads:
    """The waiting reads of one member, whatever its role."""

    me: NodeId
    boot: int
    round: int = 0
    """The newest heartbeat round of this node as a leader."""
    gathered: list[Ticket] = field(default_factory=list)
    gathered_deadline_ms: int = 0
    confirming: deque[Batch] = field(default_factory=deque)
    """On the leader, in order of their rounds."""
    asked: dict[int, Batch] = field(default_factory=dict)
    """On a follower: questions to the leader, oldest first."""
    asked_count: int = 0
    waiting: int = 0
    """Tickets in all three places."""
    released: list[ReadRelease] = field(default_factory=list)
    """For the owner."""
    answers: list[tuple[Ticket, Index | None]] = field(default_factory=list)
    """For other members."""

    def gather(self, ticket: Ticket, deadline_ms: int) -> None:
        """Let a read wait for the next round or question."""
        if not self.gathered:
            self.gathered_deadline_ms = deadline_ms
        self.gathered.append(ticket)
        self.waiting += 1

    def answer(self, ticket: Ticket, index: Index | None) -> None:
        """Tell whoever waits; None refuses."""
        if ticket.node == self.me:
            self.released.append(ReadRelease(ticket.counter, index))
        else:
            self.answers.append((ticket, index))

    def wants_round(self) -> bool:
        """Should a heartbeat round begin now for the gathered reads?"""
        return bool(self.gathered) and not self.confirming

    def begin_round(self, commit_index: Index) -> None:
        """A heartbeat of a new round leaves: the gathered reads hang on it."""
        self.round += 1
        if self.gathered:
            batch = self._gathered_batch(self.round, commit_index)
            self.confirming.append(batch)

    def confirm(self, heartbeat_round: int) -> None:
        """A quorum answered `heartbeat_round`: whatever hangs on it or an earlier one may go."""
        while self.confirming and self.confirming[0].number <= heartbeat_round:
            batch = self.confirming.popleft()
            self._answer_all(batch.tickets, batch.index)

    def begin_question(self) -> int:
        """The gathered reads become one question; return its counter."""
        self.asked_count += 1
        self.asked[self.asked_count] = self._gathered_batch(self.asked_count, Index(0))
        return self.asked_count

    def on_answer(self, boot: int, counter: int, index: Index | None) -> None:
        """The leader answered a question of ours, perhaps twice, perhaps of an earlier boot."""
        batch = self.asked.pop(counter, None) if boot == self.boot else None
        if batch is not None:
            self._answer_all(batch.tickets, index)

    def next_deadline_ms(self, otherwise: int) -> int:
        """Return when the oldest question gives up, or `otherwise` if that is sooner."""
        for batch in self.asked.values():
            return min(batch.deadline_ms, otherwise)
        return otherwise

    def expire(self, now_ms: int) -> None:
        """Refuse whatever has waited too long."""
        while self.confirming and self.confirming[0].deadline_ms <= now_ms:
            self._answer_all(self.confirming.popleft().tickets, None)
        for counter, batch in list(self.asked.items()):
            if batch.deadline_ms > now_ms:
                break
            del self.asked[counter]
            self._answer_all(batch.tickets, None)

    def refuse_all(self) -> None:
        """The role or the term changed: nobody is left who could confirm these reads."""
        if not self.waiting:
            return
        for batch in (*self.confirming, *self.asked.values()):
            self._answer_all(batch.tickets, None)
        self._answer_all(tuple(self.gathered), None)
        self.confirming.clear()
        self.asked.clear()
        self.gathered.clear()

    def _gathered_batch(self, number: int, index: Index) -> Batch:
        batch = Batch(number, index, tuple(self.gathered), self.gathered_deadline_ms)
        self.gathered.clear()
        return batch

    def _answer_all(self, tickets: tuple[Ticket, ...], index: Index | None) -> None:
        self.waiting -= len(tickets)
        for ticket in tickets:
            self.answer(ticket, index)
