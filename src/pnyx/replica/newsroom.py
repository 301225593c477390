"""How a node keeps its atlas fresh, passes on what it knows, and founds what was not founded.

Where the controller has a replica, the maps are read from what it has applied. Any other node
subscribes to one member of the controller after the other, so that news come by themselves, and
asks the controller's leader again every second, so that nothing rests on luck: a member that is cut
off from the rest has no news, and would never say so.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from pnyx.ids import Index, NodeId
from pnyx.machine.directives import AnyDirective
from pnyx.machine.results import Result
from pnyx.replica.atlas import READ, Atlas
from pnyx.replica.effects import Effects, Outbound
from pnyx.replica.founding import Founding
from pnyx.replica.messages import News, Subscribe
from pnyx.replica.replica import Replica
from pnyx.replica.requests import Answer, Done

SUBSCRIBED_MS: Final = 3_000
"""So long a subscription lasts; it is renewed every second."""


class Errand(Enum):
    """The ticket of a request that the node makes for itself."""

    READ = "read"
    FOUND = "found"


@dataclass(slots=True)
class Newsroom:
    """One node's."""

    atlas: Atlas
    founding: Founding | None
    controllers: tuple[NodeId, ...]
    """The controller's members, as far as known."""
    linked: Collection[NodeId] = ()
    _subscribers: dict[NodeId, int] = field(default_factory=dict)
    """Until when each is told."""
    _turn: int = 0
    """Whom the next subscription goes to."""
    _outbox: list[Outbound] = field(default_factory=list)
    _published: int = 0
    """The atlas' version that subscribers were told."""
    _applied: Index = Index(0)
    """What the controller's replica had applied when it was read."""
    _seen: Sequence[Result] = ()
    _led: bool = False
    _open: set[Errand] = field(default_factory=set)
    _wanted: list[tuple[Errand, Sequence[AnyDirective]]] = field(default_factory=list)

    # What the outside says.

    def step(self, sender: NodeId, message: Subscribe | News, now_ms: int) -> None:
        """Take in what another node knows, or wants to."""
        atlas = self.atlas
        if isinstance(message, News):
            self.controllers = message.members
            atlas.take(message.configuration, message.directory)
            return
        self._subscribers[sender] = now_ms + SUBSCRIBED_MS
        news = atlas.news(self.controllers)
        knows_more = atlas.number > message.number or atlas.moved > message.moved
        if news is not None and knows_more:
            self._outbox.append(Outbound(sender, news))

    def look(self, replica: Replica) -> None:
        """Read what the controller's replica here has applied since."""
        if replica.group.applied.index != self._applied:
            self._applied = replica.group.applied.index
            results = replica.group.read(READ, 0)
            if results is not None and results != self._seen:
                self._seen = results
                self.atlas.read(results)
        membership = replica.consensus.membership
        if replica.group.applied.index:
            self.controllers = membership.voters
        if replica.leads and not self._led:
            self._tend_founding()
        self._led = replica.leads

    def tend(self, now_ms: int, *, is_member: bool) -> None:
        """Renew and repeat, once a second; `is_member`: the controller has a member here."""
        self._subscribers = {
            node: until for node, until in self._subscribers.items() if until > now_ms
        }
        if is_member:
            if self._led:
                self._tend_founding()
            return
        linked = [node for node in self.controllers if node in self.linked]
        if linked:
            self._turn += 1
            to = linked[self._turn % len(linked)]
            self._outbox.append(Outbound(to, Subscribe(self.atlas.number, self.atlas.moved)))
            self._want(Errand.READ, READ)

    def sift(self, effects: Effects) -> None:
        """Take the answers to this node's own errands out of `effects`."""
        if not self._open or not effects.answers:
            return
        own = [(ticket, answer) for ticket, answer in effects.answers if type(ticket) is Errand]
        if own:
            effects.answers = [each for each in effects.answers if type(each[0]) is not Errand]
            for errand, answer in own:
                self._answered(errand, answer)

    # What the outside takes.

    def take_errands(self) -> list[tuple[Errand, Sequence[AnyDirective]]]:
        """Return what the controller is to be asked, each with its ticket."""
        wanted, self._wanted = self._wanted, []
        return wanted

    def take_outbox(self) -> list[Outbound]:
        """Return what is to be sent, about the controller's group."""
        if self.atlas.version != self._published:
            self._published = self.atlas.version
            news = self.atlas.news(self.controllers)
            if news is not None:
                self._outbox += [Outbound(node, news) for node in self._subscribers]
        outbox, self._outbox = self._outbox, []
        return outbox

    # Inside.

    def _tend_founding(self) -> None:
        # What is applied here may be old: the leader's own log must say that there is nothing.
        if self.founding is not None and self.atlas.configuration is None:
            self._want(Errand.READ, READ)

    def _want(self, errand: Errand, directives: Sequence[AnyDirective]) -> None:
        if errand not in self._open:
            self._open.add(errand)
            self._wanted.append((errand, directives))

    def _answered(self, errand: Errand, answer: Answer) -> None:
        self._open.discard(errand)
        if errand is Errand.FOUND or not isinstance(answer, Done):
            return
        self.atlas.read(answer.results)
        if self.atlas.configuration is None and self._led and self.founding is not None:
            self._want(Errand.FOUND, self.founding.directives())
