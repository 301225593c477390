"""Requests that the leader carries out on behalf of this node's clients.

The hop limit is one: a leader answers a forward or refuses it, it never sends it on. A write whose
link broke after a byte left, or whose answer does not come, is unknown: sending it again could
double it.
"""

from dataclasses import dataclass, field

from pnyx.ids import NodeId
from pnyx.replica.effects import NEVER
from pnyx.replica.messages import Forward
from pnyx.replica.requests import Request


@dataclass(slots=True)
class Sent:
    """A forward whose answer is open."""

    request: Request
    to: NodeId
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class Asker:
    """The ticket of a request that came as a forward: whom to answer."""

    node: NodeId
    boot: int
    number: int


@dataclass(slots=True)
class Forwards:
    """The open forwards of one replica, in order of sending and so of deadline."""

    boot: int
    _number: int = 0
    open: dict[int, Sent] = field(default_factory=dict)
    _asked: dict[NodeId, tuple[int, int]] = field(default_factory=dict)
    """Per node the (boot, number) of its newest forward: a repeated one is dropped."""

    def send(self, request: Request, to: NodeId, deadline_ms: int) -> Forward:
        """Remember `request` and return the message for the leader."""
        self._number += 1
        self.open[self._number] = Sent(request, to, deadline_ms)
        commands = tuple(request.commands)
        return Forward(self.boot, self._number, commands, request.by_log, request.stale)

    def taken(self, sender: NodeId, message: Forward) -> tuple[Request, ...]:
        """Return what another node asks of us; nothing if it asked before."""
        boot, number = self._asked.get(sender, (0, 0))
        if message.boot == boot and message.number <= number:
            return ()
        self._asked[sender] = (message.boot, message.number)
        asker = Asker(sender, message.boot, message.number)
        commands, by_log = message.commands, message.by_log
        return (Request(asker, commands, by_log, forward=False, stale=message.stale),)

    def answered(self, sender: NodeId, boot: int, number: int) -> Request | None:
        """Return whose answer this is; None for an earlier life's, a repeated or a late one."""
        sent = self.open.get(number)
        if boot != self.boot or sent is None or sent.to != sender:
            return None
        del self.open[number]
        return sent.request

    def link_lost(self, node: NodeId) -> list[Request]:
        """Return the requests whose fate is unknown because the link to `node` broke."""
        lost = [number for number, sent in self.open.items() if sent.to == node]
        return [self.open.pop(number).request for number in lost]

    def overdue(self, now_ms: int) -> list[Request]:
        """Return the requests whose answer did not come in time: unknown."""
        late: list[Request] = []
        while self.open:
            number, sent = next(iter(self.open.items()))
            if sent.deadline_ms > now_ms:
                break
            del self.open[number]
            late.append(sent.request)
        return late

    @property
    def deadline_ms(self) -> int:
        """When the oldest answer is overdue."""
        return next(iter(self.open.values())).deadline_ms if self.open else NEVER

    def __len__(self) -> int:
        """Return how many answers are open."""
        return len(self.open)
