"""Requests to a group that has no replica on this node: each is carried out by one of its members.

An envoy promises what a replica promises of its forwards: one answer, once; parked and bounded as
long as nobody was asked; unknown when a member that was asked falls silent. It knows a group by its
founding members alone, and learns who leads by asking: one that does not lead says `Elsewhere`.

The owner turns it like a replica: calls, then `effects` until there are none, `tick` when
`deadline_ms` has come.
"""

from collections.abc import Sequence
from typing import Any, Final

from pnyx.ids import NodeId
from pnyx.replica.answers import Answers
from pnyx.replica.counters import Counters
from pnyx.replica.effects import NEVER, Effects, Now, Outbound
from pnyx.replica.forwards import Forwards
from pnyx.replica.limits import ReplicaLimits
from pnyx.replica.messages import ForwardReply
from pnyx.replica.parking import Parking
from pnyx.replica.requests import Elsewhere, NotDone, Reason, Request, Unknown

RETRY_MS: Final = 50
"""How often parked requests are tried again."""


class Envoy:
    """One node's, to one group."""

    def __init__(
        self, me: NodeId, boot: int, members: Sequence[NodeId], limits: ReplicaLimits
    ) -> None:
        """Start knowing nobody's mind.

        `boot` names this start in forwards, and must differ from that of a replica here: both
        number what they send, and an answer to one must never be taken for the other's.
        """
        self.me = me
        self.counters = Counters()
        self._limits = limits
        self._answers = Answers(self.counters)
        self._forwards = Forwards(boot)
        self._parking = Parking(limits.parked_bytes)
        self._members: tuple[NodeId, ...] = ()
        self._linked: dict[NodeId, None] = {}
        self._leader: NodeId | None = None
        """Who a member said leads; perhaps not any more."""
        self._turn = 0
        """Who is asked while nobody is known to lead: one member after another."""
        self._retry_ms = 0
        self._is_gone = False
        self._send: list[Outbound] = []
        self.know(members)

    @property
    def leader(self) -> NodeId | None:
        """Who leads, as a member said last."""
        return self._leader

    @property
    def boot(self) -> int:
        """Whose answers are meant for this envoy."""
        return self._forwards.boot

    # What the outside says.

    def know(self, members: Sequence[NodeId]) -> None:
        """Those are the group's members; none as long as that is not known."""
        self._members = tuple([node for node in members if node != self.me])
        if self._leader not in self._members:
            self._leader = None
        self._retry_ms = 0

    def retire(self) -> None:
        """The group is gone: others have its shards, and who was to be asked here may ask them."""
        self._is_gone = True
        self._answers.leave(self._parking.take_all(), is_gone=True)

    def submit(self, requests: Sequence[Request], now: Now) -> None:
        """Take in requests of this node."""
        until_ms = now.mono_ms + self._limits.park_ms
        for request in requests:
            request.until_ms = until_ms
            self._route(request, now)

    def step(self, sender: NodeId, message: Any, now: Now) -> None:
        """Take in an answer of a member; whatever else it says is for a replica."""
        if not isinstance(message, ForwardReply):
            return
        request = self._forwards.answered(sender, message.boot, message.number)
        if request is None:
            return
        match message.answer:
            case Elsewhere(leader) if leader != sender and self._may_lead(leader):
                # Two that point at each other, or at one that is gone, get a pause.
                was_guessed, self._leader = sender != self._leader, leader
                if was_guessed and leader in self._linked:
                    self._route(request, now)
                else:
                    self._park(request)
            case Elsewhere() | NotDone(Reason.NO_QUORUM) | NotDone(Reason.STOPPING):
                self._doubt(sender)
                self._park(request)
            case answer:
                if not request.stale:
                    self._leader = sender
                self._answers.give(request, answer)

    def met(self, node: NodeId) -> None:
        """A link to `node` is up."""
        self._linked[node] = None
        self._retry_ms = 0

    def link_lost(self, node: NodeId) -> None:
        """A link to `node` broke: what it was asked is unknown."""
        self._linked.pop(node, None)
        self._doubt(node)
        for request in self._forwards.link_lost(node):
            self._answers.give(request, Unknown())

    def unsent(self, to: NodeId, message: Any) -> None:
        """`message` was given up before a byte of it left this node."""
        request = self._forwards.answered(to, message.boot, message.number)
        if request is not None:
            self._doubt(to)
            self._park(request)

    def tick(self, now: Now) -> None:
        """`deadline_ms` has passed; calling earlier does nothing."""
        for request in self._forwards.overdue(now.mono_ms):
            self._answers.give(request, Unknown())
        for request in self._parking.take_overdue(now.mono_ms):
            self._answers.give(request, NotDone(Reason.NO_QUORUM))
        if self._parking and now.mono_ms >= self._retry_ms:
            self._retry_ms = now.mono_ms + RETRY_MS
            for request in self._parking.take_all():
                self._route(request, now)

    def give_up(self) -> list[Request]:
        """Return what was never sent: the group has a replica here now. The rest is unknown."""
        for request in self._forwards.overdue(NEVER):
            self._answers.give(request, Unknown())
        return self._parking.take_all()

    def stop(self) -> None:
        """The node stops: whoever still waits is told what can be told."""
        self._answers.give_all(self.give_up(), NotDone(Reason.STOPPING))

    # What the outside asks.

    @property
    def idle(self) -> bool:
        """Does nobody wait here?"""
        return not self._forwards.open and not self._parking

    @property
    def parked_count(self) -> int:
        """How many requests wait for somebody to ask."""
        return len(self._parking)

    @property
    def deadline_ms(self) -> int:
        """When `tick` is wanted next, on the monotone clock."""
        return min(
            self._forwards.deadline_ms,
            self._parking.deadline_ms,
            self._retry_ms if self._parking else NEVER,
        )

    def effects(self, _now: Now) -> Effects | None:
        """Return what there is to send and to answer, or None."""
        answers, self._answers.told = self._answers.told, []
        send, self._send = self._send, []
        effects = Effects(send=send, answers=answers)
        return effects or None

    # Inside.

    def _route(self, request: Request, now: Now) -> None:
        to = self._asked(request)
        if to is None:
            self._park(request)
        elif request.forward:
            self.counters.forwarded += 1
            deadline_ms = now.mono_ms + self._limits.outcome_ms
            self._send.append(Outbound(to, self._forwards.send(request, to, deadline_ms)))
        else:
            self._answers.give(request, Elsewhere(to))

    def _asked(self, request: Request) -> NodeId | None:
        """Return whom to ask: who leads, if that is known, else one after the other."""
        if self._leader in self._linked and not request.stale:
            return self._leader
        some = self._candidates()
        return some[self._turn % len(some)] if some else None

    def _candidates(self) -> list[NodeId]:
        """Return whom there is to ask, those first who should know."""
        if not self._members:
            return []
        members = [node for node in self._members if node in self._linked]
        # Disks may be replaced until no founding member is left, and its successors have other ids.
        # Who has no replica of the group says so at once.
        return members + [node for node in self._linked if node not in self._members]

    def _may_lead(self, node: NodeId) -> bool:
        # Members are known as the group was founded. Who came into the place of a lost disk since
        # then has another id, and may lead; that somebody is linked under it is enough.
        return node in self._members or node in self._linked

    def _doubt(self, node: NodeId) -> None:
        """`node` did not help: ask another one next."""
        if self._leader == node:
            self._leader = None
        some = self._candidates()
        if some and some[self._turn % len(some)] == node:
            self._turn += 1

    def _park(self, request: Request) -> None:
        if self._is_gone:
            self._answers.leave((request,), is_gone=True)
            return
        self.counters.parked += 1
        if not self._parking.park(request):
            self._answers.give(request, NotDone(Reason.OVERLOADED))
