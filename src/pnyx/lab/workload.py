"""Simulated clients: each asks, waits for the answer or gives up, thinks, and asks again.

A client talks to one node until that refuses it or falls silent, then to another, as a Redis client
with a list of addresses does. Every value written is unique: ``client.number;``. A request whose
connection broke, or that was waited for too long, has an unknown outcome and is never repeated.

Clients with sessions do repeat their writes, at any node, until they are answered or their patience
ends (operation.py). Now and then a copy of a write comes late, when nobody waits for it any more.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Literal, NamedTuple

from pnyx.lab.chance import Chance
from pnyx.lab.clock import EPOCH_US
from pnyx.lab.operation import Operation, heard_of
from pnyx.lab.process import Process
from pnyx.lab.timeline import NOWHERE, Timeline
from pnyx.lab.watch import Watch
from pnyx.lab.world import World
from pnyx.machine.commands import (
    AnyCommand,
    Append,
    Condition,
    Expiry,
    Get,
    IncrBy,
    Set,
    Ttl,
)
from pnyx.machine.sessions import WINDOW
from pnyx.replica.requests import Answer, Done, NotDone, Reason, Request, Unknown
from pnyx.transport.numbering import Numbering
from pnyx.transport.verdict import Outcome, Trail

WIRE_US: Final = 200
"""From a client to its node, and back."""
PATIENCE_US: Final = 5_000_000
"""A patient client gives up after this: no answer of the product takes longer (its limits' sum)."""
RETRY_US: Final = 20_000
"""A refused client asks elsewhere after this."""
BRIEF: Final = b"brief."
"""How the keys begin that expire."""
_BRIEF_COUNT: Final = 2
_BRIEF_MS: Final = (5, 3_000)
"""Such a key lives for a time between these."""
_LATE_COPIES: Final = 0.2
"""Share of a session's writes of which a copy comes when they are over."""
REFUSED: Final = NotDone(Reason.STOPPING)
"""What a client knows when nobody listens where it asks: nothing was done."""


@dataclass(slots=True)
class Ticket:
    """One request of one client, and what became of it."""

    client: int
    number: int
    """From 1, the client's own count."""
    process: int
    """The node that was asked."""
    commands: tuple[AnyCommand, ...]
    called_us: int
    slot: int = 0
    """Which of the requests that its client has open at once."""
    attempt: int = 1
    """Of a client's operation in its session."""
    operation: Operation | None = None
    trail: Trail = field(default_factory=lambda: Trail(changes=False, in_session=False))
    """What is known of it if it is not answered."""
    answered_us: int | None = None
    answer: Answer | None = None
    """None while it is open, and for ever if the client gave up."""
    given_up_us: int | None = None
    """When the client stopped waiting without an answer."""

    @property
    def is_open(self) -> bool:
        """Is the client still waiting?"""
        return self.answer is None and self.given_up_us is None

    @property
    def told(self) -> Answer | None:
        """Return what its client was told in the end, by whichever attempt."""
        return self.answer if self.operation is None else self.operation.answer

    @property
    def over_us(self) -> int | None:
        """Return when its client was told or gave up."""
        if self.operation is not None:
            return self.operation.over_us
        return self.given_up_us if self.answered_us is None else self.answered_us


@dataclass(frozen=True, slots=True)
class WorkloadSettings:
    """What clients do."""

    clients: int = 3
    think_us: int = 20_000
    """Mean of the exponential time between an answer and the next request; 0 asks at once."""
    keys: int = 3
    reads: float = 0.5
    """Share of requests that only read."""
    readers: int = 0
    """So many clients only read: no write of theirs is held up where a leader is cut off."""
    appends: float = 0.6
    """Share of the writes that append; of the others half set, half compare and set or count."""
    batches: float = 0.1
    """Share of requests with several commands."""
    pipeline: int = 1
    """Requests that a client sends at once, before it waits for all their answers."""
    padding_bytes: int = 0
    """Added to each value."""
    expiring: float = 0.0
    """Share of requests that are about keys that expire, which nobody else asks about."""
    patience_us: int = PATIENCE_US
    """A client that is not answered for so long gives up and asks another node something else."""
    life_ms: int = 0
    """Writes are sent in sessions, with deadlines so far ahead at most; 0: without sessions."""
    attempt_us: int = 500_000
    """A write of a session that is not answered for so long is sent again."""


class Kept(NamedTuple):
    """A request that stays after shrinking: made when and where it was, whatever others do."""

    client: int
    number: int
    at_us: int
    process: int


HEALED_FROM: Final = 100_000
"""After shrinking, the numbers of requests to a healed core begin here: they depend on no other."""


@dataclass(slots=True)
class Client:
    """One client's state."""

    number: int
    process: int
    asked: int = 0
    seen: dict[bytes, bytes] = field(default_factory=dict)
    """By key the value read last: what a compare-and-set compares with."""
    open: dict[int, Ticket] = field(default_factory=dict)
    """By number, what it waits for."""
    refused: bool = False
    """Was one of them not done? It goes elsewhere when all are over."""
    numbering: Numbering | None = None
    """Its session."""
    operations: dict[int, Operation] = field(default_factory=dict)
    """Of that session, by the numbers of their requests."""


class Clients(Watch):
    """All clients of a world."""

    def __init__(self, settings: WorkloadSettings) -> None:
        self.settings = settings
        self.tickets: list[Ticket] = []
        """Every request ever made, in order of their calls."""
        self.stopped = False
        self.clients: list[Client] = []
        self.kept: Collection[Kept] | None = None
        """The only requests that are made until clients are aimed at a core; None: all."""
        self._world: World | None = None
        self._targets: tuple[int, ...] = ()

    def start(self, world: World) -> None:
        """Let every client ask for the first time."""
        self._world = world
        self._targets = tuple(sorted(world.processes))
        kept = self.kept or ()
        for number in range(1, max(self.settings.clients, *(each.client for each in kept), 0) + 1):
            start = self._targets[number % len(self._targets)]
            self.clients.append(Client(number, start, numbering=self._session(number)))
        if self.kept is None:
            self._begin()
        for each in kept:
            self._timeline.at(each.at_us, "ask", NOWHERE, self._ask_kept, each)

    def _session(self, number: int) -> Numbering | None:
        """Return the session that a client opened just now, whose clock is right."""
        life_ms, now_ms = self.settings.life_ms, self._timeline.now_us // 1000
        if not life_ms:
            return None
        # Half of what nodes allow is what clients take: that is the life of a write here.
        return Numbering(b"%032x" % number, WINDOW, 2 * life_ms, EPOCH_US // 1000 + now_ms, now_ms)

    def _begin(self) -> None:
        for client in self.clients[: self.settings.clients]:
            self._plan(client, self._think_us(client))

    def stop(self) -> None:
        """Let nobody ask anew; who waits, waits on."""
        self.stopped = True

    def aim(self, targets: Sequence[int]) -> None:
        """Let clients talk to these nodes only, from their next request on."""
        self._targets = tuple(sorted(targets))
        if self.kept is not None:
            for client in self.clients:
                client.asked = HEALED_FROM
            self._begin()

    @property
    def open(self) -> list[Ticket]:
        """Return the requests that somebody waits for."""
        return [ticket for client in self.clients for ticket in client.open.values()]

    # What the world says.

    def answered(self, process: Process, ticket: Any, answer: Answer) -> None:
        """Carry the answer back to its client."""
        if isinstance(ticket, Ticket):
            self._timeline.after_us(WIRE_US, "answer", NOWHERE, self._receive, ticket, answer)

    def ended(self, process: Process, how: str) -> None:
        """Whoever waited for that node learns nothing any more."""
        for ticket in self.open:
            if ticket.process == process.number:
                self._timeline.after_us(WIRE_US, "reset", NOWHERE, self._give_up, ticket)

    # Inside.

    @property
    def _timeline(self) -> Timeline:
        return self._started.timeline

    @property
    def _chance(self) -> Chance:
        return self._started.chance

    @property
    def _started(self) -> World:
        assert self._world is not None, "clients are started in a world"
        return self._world

    def _plan(self, client: Client, delay_us: int) -> None:
        self._timeline.after_us(delay_us, "ask", NOWHERE, self._ask, client)

    def _think_us(self, client: Client) -> int:
        where = (client.number, client.asked)
        return int(self._chance.exponential(self.settings.think_us, "think", *where))

    def _ask(self, client: Client) -> None:
        if self.stopped:
            return
        if client.process not in self._targets:
            self._turn_elsewhere(client)
        for slot in range(self.settings.pipeline):
            self._ask_one(client, slot)
        if not client.open:
            self._plan(client, self._think_us(client))

    def _ask_kept(self, kept: Kept) -> None:
        client = self.clients[kept.client - 1]
        operation = client.operations.get(kept.number)
        if operation is None:
            client.asked, client.process = kept.number - 1, kept.process
            self._ask_one(client, 0)
        else:
            self._send(client, kept.number, operation, kept.process)

    def _ask_one(self, client: Client, slot: int) -> None:
        client.asked += 1
        number, target = client.asked, client.process
        commands = self._draw(client)
        now_us, writes = self._timeline.now_us, any(each.writes for each in commands)
        if client.numbering is not None and writes:
            patience_us = self.settings.patience_us
            operation = Operation.begun(client.numbering, commands, now_us, patience_us)
            if operation is not None:
                client.operations[number] = operation
                self._send(client, number, operation, target, slot)
                self._timeline.at(operation.ends_us, "end", NOWHERE, self._end, client, number)
            return
        ticket = Ticket(client.number, number, target, commands, now_us, slot)
        ticket.trail.changes = writes
        client.open[number] = ticket
        self.tickets.append(ticket)
        self._timeline.after_us(WIRE_US, "request", target, self._deliver, ticket)
        patience_us = self.settings.patience_us
        self._timeline.after_us(patience_us, "patience", NOWHERE, self._give_up, ticket)

    def _send(
        self, client: Client, number: int, operation: Operation, target: int, slot: int = 0
    ) -> None:
        """Send writes of a session, for the first time or again; if they are over, in vain."""
        now_us, commands = self._timeline.now_us, operation.commands()
        ticket = Ticket(client.number, number, target, commands, now_us, slot)
        ticket.attempt, ticket.operation = operation.attempts, operation
        self.tickets.append(ticket)
        self._timeline.after_us(WIRE_US, "request", target, self._deliver, ticket)
        if operation.over_us is None:
            client.open[number] = ticket
            attempt_us = self.settings.attempt_us
            self._timeline.after_us(attempt_us, "patience", NOWHERE, self._give_up, ticket)
        else:
            ticket.given_up_us = now_us

    def _deliver(self, ticket: Ticket) -> None:
        process = self._started.processes[ticket.process]
        by_log = any(command.writes for command in ticket.commands)
        request = Request(ticket, ticket.commands, by_log=by_log, forward=True)
        if not process.submit(request):
            self._receive(ticket, REFUSED)

    def _receive(self, ticket: Ticket, answer: Answer) -> None:
        if not ticket.is_open:
            return
        ticket.answer = answer
        ticket.answered_us = self._timeline.now_us
        self._timeline.note(repr(answer).encode())
        client = self.clients[ticket.client - 1]
        if ticket.operation is not None:
            self._heard(client, ticket, ticket.operation, answer)
            return
        if isinstance(answer, Done):
            for command, result in zip(ticket.commands, answer.results, strict=True):
                if isinstance(command, Get) and isinstance(result, bytes):
                    client.seen[command.key] = result
        else:
            self._say(ticket, answer)
        self._over(client, ticket, refused=not isinstance(answer, Done))

    def _give_up(self, ticket: Ticket) -> None:
        if not ticket.is_open:
            return
        ticket.given_up_us = self._timeline.now_us
        client = self.clients[ticket.client - 1]
        if ticket.operation is not None:
            self._heard(client, ticket, ticket.operation, None)
            return
        self._say(ticket, None)
        self._over(client, ticket, refused=True)

    def _say(self, ticket: Ticket, answer: Answer | None) -> None:
        ticket.trail.heard(heard_of(answer))
        if ticket.trail.changes:
            self._started.watches.gave_up(ticket, ticket.trail.outcome)

    # Inside: writes of sessions.

    def _heard(
        self, client: Client, ticket: Ticket, operation: Operation, answer: Answer | None
    ) -> None:
        """An attempt ended, perhaps without an answer: send again, or let it be over."""
        if operation.over_us is not None:
            return
        number = ticket.number
        if operation.heard(answer, self._timeline.now_us):
            self._operation_over(client, ticket, operation)
        elif self.kept is None or number > HEALED_FROM:
            delay_us = int(self._chance.exponential(RETRY_US, "again", *_attempt(ticket)))
            self._timeline.after_us(delay_us, "again", NOWHERE, self._ask_again, ticket)

    def _ask_again(self, ticket: Ticket) -> None:
        operation, client = ticket.operation, self.clients[ticket.client - 1]
        assert operation is not None, "only those of sessions are sent again"
        if operation.over_us is None:
            target = self._anywhere(ticket)
            self._send(client, ticket.number, operation, target, ticket.slot)

    def _end(self, client: Client, number: int) -> None:
        """The client's patience with an operation is over."""
        operation = client.operations[number]
        if operation.over_us is None:
            ticket = client.open[number]
            if ticket.is_open:
                self._give_up(ticket)
            else:
                # Between two attempts: the last one's end was heard.
                operation.give_up(self._timeline.now_us)
                self._operation_over(client, ticket, operation)

    def _operation_over(self, client: Client, ticket: Ticket, operation: Operation) -> None:
        if operation.said is not None:
            self._started.watches.gave_up(ticket, operation.said)
        is_late = self._chance.hit(_LATE_COPIES, "late copy", *_attempt(ticket))
        if self.kept is None and not self.stopped and is_late:
            life_us = 1_000 * self.settings.life_ms
            late_us = int(self._chance.exponential(life_us, "lateness", *_attempt(ticket)))
            target = self._anywhere(ticket)
            act = partial(self._send, client, ticket.number, operation, target)
            self._timeline.after_us(late_us, "late copy", NOWHERE, act)
        self._over(client, ticket, refused=operation.answer is None)

    def _anywhere(self, ticket: Ticket) -> int:
        drawn = self._chance.below(len(self._targets), "anywhere", *_attempt(ticket))
        return self._targets[drawn]

    # Inside: what is asked.

    def _over(self, client: Client, ticket: Ticket, *, refused: bool) -> None:
        del client.open[ticket.number]
        if self.kept is not None and ticket.number <= HEALED_FROM:
            return
        client.refused |= refused
        if client.open:
            return
        if client.refused:
            client.refused = False
            self._turn_elsewhere(client)
            self._plan(client, RETRY_US + self._think_us(client))
        else:
            self._plan(client, self._think_us(client))

    def _turn_elsewhere(self, client: Client) -> None:
        others = [target for target in self._targets if target != client.process]
        if others:
            drawn = self._chance.below(len(others), "elsewhere", client.number, client.asked)
            client.process = others[drawn]

    def _draw(self, client: Client) -> tuple[AnyCommand, ...]:
        settings, chance, where = self.settings, self._chance, (client.number, client.asked)
        if chance.hit(settings.expiring, "expiring", *where):
            return self._draw_brief(client)
        reads_only = client.number <= settings.readers
        if reads_only or chance.hit(settings.reads, "reads", *where):
            count = 3 if chance.hit(settings.batches, "batches", *where) else 1
            return tuple(Get(self._key(client, number)) for number in range(count))
        if chance.hit(settings.batches, "batches", *where):
            return tuple(self._draw_write(client, number) for number in range(3))
        return (self._draw_write(client, 0),)

    def _draw_brief(self, client: Client) -> tuple[AnyCommand, ...]:
        chance, where = self._chance, (client.number, client.asked)
        key = BRIEF + b"%d" % chance.below(_BRIEF_COUNT, "brief key", *where)
        value = b"%d.%d.0;" % where + b"-" * self.settings.padding_bytes
        match chance.below(4, "brief", *where):
            case 0:
                ms = int(chance.log_uniform(*_BRIEF_MS, "brief ms", *where))
                return (Set(key, value, expiry=Expiry(ms, relative=True)),)
            case 1:
                return (Append(key, value),)
            case 2:
                return (Get(key),)
            case _:
                return (Get(key), Ttl(key, seconds=False, absolute=True))

    def _draw_write(self, client: Client, number: int) -> AnyCommand:
        settings, chance = self.settings, self._chance
        where = (client.number, client.asked, number)
        key = self._key(client, number)
        value = b"%d.%d.%d;" % where + b"-" * settings.padding_bytes
        if chance.hit(settings.appends, "appends", *where):
            return Append(key, value)
        match chance.below(4, "write", *where):
            case 0 | 1:
                return Set(key, value)
            case 2:
                seen = client.seen.get(key, b"")
                return Set(key, value, condition=Condition.EQUAL, comparand=seen)
            case _:
                # Another amount each time, so that it can be told whose it is.
                return IncrBy(b"count.%d" % client.number, 3 * client.asked + number)

    def _key(self, client: Client, number: int) -> bytes:
        where = (client.number, client.asked, number)
        return b"key.%d" % self._chance.below(self.settings.keys, "key", *where)


def _attempt(ticket: Ticket) -> tuple[int, int, int]:
    return ticket.client, ticket.number, ticket.attempt


def outcome_of(ticket: Ticket) -> Literal["ok", "fail", "info"]:
    """Return ok, fail (surely nothing happened) or info (nobody knows)."""
    if ticket.operation is not None:
        is_open = ticket.operation.over_us is None
        return "info" if is_open else _WORDS[ticket.operation.said]
    match ticket.answer:
        case Done():
            return "ok"
        case None | Unknown():
            return "info"
        case _:
            return "fail"


_WORDS: Final[dict[Outcome | None, Literal["ok", "fail", "info"]]] = {
    None: "ok",
    "unknown": "info",
    "not_applied": "fail",
}
