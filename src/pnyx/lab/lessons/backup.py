"""A key-value server with a primary and a backup, of which a view service says who is who.

The primary does nothing that its backup has not done: it forwards each request, reads too, and
answers when the backup has. A backup of a newer view refuses, and so tells a primary that was
replaced. A primary says that it acts in a view when its backup has its state, not before.
"""

from collections import deque
from typing import Final, TypeAlias

from msgspec import Struct

from pnyx.lab.lessons.node import Birth, Effects, Parcel
from pnyx.lab.lessons.service import Reply, Request
from pnyx.lab.lessons.views import NO_VIEW, NOBODY, PING_MS, AskView, Ping, View, ViewService
from pnyx.lab.lessons.world import Language

VIEW_SERVICE: Final = 1
"""The host of the view service; all others are servers."""
RETRY_MS: Final = 50
"""What the backup did not answer is sent again after this."""
NEVER: Final = 1 << 62
WAITING_MAX: Final = 1_000
"""Requests that wait at a primary; more are not taken."""


class Wrong(Struct, frozen=True, tag=True):
    """The server is not primary, or cannot know that it still is: ask the view service."""

    number: int


class Forward(Struct, frozen=True, tag=True):
    """Do this first: the primary of that view wants to answer it."""

    view: int
    request: Request


class Forwarded(Struct, frozen=True, tag=True):
    """It is done here, or refused: `view` is not this server's, or it has no state."""

    view: int
    client: int
    number: int
    is_done: bool


class Transfer(Struct, frozen=True, tag=True):
    """All that the primary of that view holds."""

    view: int
    values: dict[bytes, bytes]
    sessions: dict[int, tuple[int, bytes]]


class Transferred(Struct, frozen=True, tag=True):
    """The backup of that view has it."""

    view: int


Spoken: TypeAlias = (
    Ping | View | AskView | Request | Reply | Wrong | Forward | Forwarded | Transfer | Transferred
)


class Server:
    """A server; everything is in memory."""

    def __init__(self, birth: Birth, alone: frozenset[str] = frozenset()) -> None:
        """Begin with no state, as every life does.

        Args:
            birth: which server this is.
            alone: kinds of requests that a primary does without its backup: a mistake that is
                shown (`make_trusting`).
        """
        self.me = birth.number
        self.alone = alone
        self.view = NO_VIEW
        """The newest that it was told."""
        self.values: dict[bytes, bytes] = {}
        self.sessions: dict[int, tuple[int, bytes]] = {}
        """By client, its newest request that was done, and the answer."""
        self.has_state = False
        self.joined = 0
        """The view whose state it has; a primary: whose backup has its state."""
        self._waiting: deque[tuple[Request, int]] = deque()
        """Requests and their clients' places; the first is being done."""
        self._ping_ms = birth.now_ms
        self._retry_ms = NEVER
        self._parcels: list[Parcel] = []

    @property
    def leads(self) -> bool:
        """Does it believe to be primary?"""
        return self.view.primary == self.me

    @property
    def deadline_ms(self) -> int:
        """When `tick` is due next."""
        return min(self._ping_ms, self._retry_ms)

    def step(self, sender: int, message: Spoken, now_ms: int) -> None:
        """A view, a client, the primary or the backup speaks."""
        match message:
            case View():
                self._on_view(message, now_ms)
            case Request():
                self._on_request(sender, message)
            case Forward(view=view, request=request):
                is_done = self.obeys(sender, view)
                if is_done:
                    self.perform(request)
                answer = Forwarded(view, request.client, request.number, is_done)
                self._answer(sender, answer)
            case Forwarded():
                self._on_forwarded(message)
            case Transfer(view=view, values=values, sessions=sessions):
                if view == self.view.number and self.view.backup == self.me:
                    self.values, self.sessions = values, sessions
                    self.has_state, self.joined = True, view
                    self._answer(sender, Transferred(view))
            case Transferred(view=view):
                if view == self.view.number and self.leads:
                    self.joined = view
            case _:
                raise AssertionError(f"nobody sends {message} to a server")
        self._go_on(now_ms)

    def tick(self, now_ms: int) -> None:
        """Ping; ask the backup again."""
        if self._ping_ms <= now_ms:
            self._ping_ms = now_ms + PING_MS
            self._parcels.append(Parcel(VIEW_SERVICE, Ping(self.joined if self.has_state else 0)))
        self._go_on(now_ms)

    def effects(self) -> Effects | None:
        """Return what to send."""
        if not self._parcels:
            return None
        parcels, self._parcels = tuple(self._parcels), []
        return Effects(parcels=parcels)

    def persisted(self, now_ms: int) -> None:
        """Nothing here is on a disk."""

    # The rules.

    def obeys(self, sender: int, view: int) -> bool:
        """May that primary be obeyed? Only in the view that this server is backup of."""
        return (
            view == self.view.number == self.joined
            and sender == self.view.primary
            and self.view.backup == self.me
        )

    def needs_backup(self, request: Request) -> bool:
        """Must the backup do this first? Reads, too: its answer proves who is primary."""
        return self.view.backup != NOBODY and request.kind not in self.alone

    def may_acknowledge(self) -> bool:
        """Has the backup of this view, if there is one, the state?"""
        return self.joined == self.view.number

    def perform(self, request: Request) -> bytes:
        """Do it, unless it was done; return the answer that it got then."""
        number, answer = self.sessions.get(request.client, (0, b""))
        if request.number <= number:
            return answer
        held = self.values.get(request.key, b"")
        answer = held
        match request.kind:
            case "put":
                self.values[request.key] = request.value
            case "append":
                self.values[request.key] = held + request.value
            case "lock":
                answer = b"yes" if not held else b"no"
                self.values[request.key] = held or request.value
            case "unlock":
                answer = b"yes" if held else b"no"
                self.values[request.key] = b""
            case _:
                pass
        self.sessions[request.client] = (request.number, answer)
        return answer

    # Inside.

    def _on_view(self, view: View, now_ms: int) -> None:
        if view.number <= self.view.number:
            return
        self.view = view
        self._retry_ms = now_ms
        if not self.leads:
            while self._waiting:
                request, place = self._waiting.popleft()
                self._answer(place, Wrong(request.number))
        elif view.number == 1:
            # The very first primary: there is nothing to know.
            self.has_state = True
        if self.leads and self.has_state and view.backup == NOBODY:
            self.joined = view.number

    def _on_request(self, place: int, request: Request) -> None:
        if not self.leads or not self.has_state or len(self._waiting) >= WAITING_MAX:
            self._answer(place, Wrong(request.number))
        elif all(waiting != request for waiting, _ in self._waiting):
            self._waiting.append((request, place))
            if len(self._waiting) == 1:
                self._retry_ms = 0

    def _on_forwarded(self, message: Forwarded) -> None:
        if not self._waiting or message.view != self.view.number or not self.leads:
            return
        request, place = self._waiting[0]
        if (message.client, message.number) != (request.client, request.number):
            return
        self._waiting.popleft()
        self._retry_ms = 0
        if message.is_done:
            self._answer(place, Reply(request.number, self.perform(request)))
        else:
            self._answer(place, Wrong(request.number))

    def _go_on(self, now_ms: int) -> None:
        """Do what the first waiting request needs next; give the backup the state before."""
        if self._retry_ms > now_ms:
            return
        self._retry_ms = NEVER
        if not self.leads or not self.has_state:
            return
        if not self.may_acknowledge():
            transfer = Transfer(self.view.number, dict(self.values), dict(self.sessions))
            self._parcels.append(Parcel(self.view.backup, transfer))
            self._retry_ms = now_ms + RETRY_MS
            return
        while self._waiting and not self.needs_backup(self._waiting[0][0]):
            request, place = self._waiting.popleft()
            self._answer(place, Reply(request.number, self.perform(request)))
        if self._waiting:
            forward = Forward(self.view.number, self._waiting[0][0])
            self._parcels.append(Parcel(self.view.backup, forward))
            self._retry_ms = now_ms + RETRY_MS

    def _answer(self, place: int, message: Spoken) -> None:
        self._parcels.append(Parcel(place, message, is_answer=True))


def make(birth: Birth) -> ViewService | Server:
    """Return the view service on its host, a server on any other."""
    return ViewService(birth) if birth.number == VIEW_SERVICE else Server(birth)


def make_trusting(birth: Birth) -> ViewService | Server:
    """Return servers that answer reads alone: a primary trusts the view that it was told last."""
    if birth.number == VIEW_SERVICE:
        return ViewService(birth)
    return Server(birth, alone=frozenset({"get"}))


SPOKEN: Final = Language(Spoken)
