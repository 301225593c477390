"""A replicated key-value service on multi-instance Paxos, with nobody in charge.

Each replica proposes what its clients want at the first instance it does not know the decision of,
and learns there what others wanted; it applies what is decided in order of the instances. Nothing
is read or written past the instances. A replica is done with an instance when its effect is on its
own disk, and only then others may forget the instance.
"""

from collections import deque
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from pnyx.consensus.instances.messages import Letter
from pnyx.consensus.instances.peer import Fate
from pnyx.lab.lessons.decrees import Decrees
from pnyx.lab.lessons.host import rows_of
from pnyx.lab.lessons.node import Birth, Effects, Parcel
from pnyx.lab.lessons.world import Language

GAP_MS: Final = 150
"""A replica that others are ahead of asks after this what it has missed."""
FETCH_MS: Final = 200
"""A replica without a state asks again after this."""
NEVER: Final = 1 << 62
APPLIED: Final = b"applied"
KEY: Final = b"k"
SESSION: Final = b"c"


class Request(Struct, frozen=True, tag=True):
    """What a client wants; sent again with the same number until it is answered."""

    client: int
    number: int
    """From 1; a client has one request at a time."""
    kind: str
    """get, put or append."""
    key: bytes
    value: bytes = b""


class Reply(Struct, frozen=True, tag=True):
    """It is done."""

    number: int
    value: bytes
    """Of a get."""


class Fetch(Struct, frozen=True, tag=True):
    """The sender has no state: send it yours."""


class State(Struct, frozen=True, tag=True):
    """All rows of the service after the instance `applied`."""

    applied: int
    rows: tuple[tuple[bytes, bytes], ...]


Spoken: TypeAlias = Letter | Request | Reply | Fetch | State
_OPS: Final = msgspec.msgpack.Decoder(tuple[Request, ...])
NO_OPERATION: Final = msgspec.msgpack.encode(())


class Service:
    """A replica."""

    def __init__(self, birth: Birth) -> None:
        """Go on from the rows of the disk; on one that was replaced, from another's state."""
        self.decrees = Decrees(birth)
        self.peer = self.decrees.peer
        self.applied = int(birth.rows.get(APPLIED, b"-1"))
        """The instance whose effect was the last here."""
        self.values = dict(rows_of(birth, KEY))
        self.sessions = {int(client): int(row) for client, row in rows_of(birth, SESSION)}
        """By client the number of its newest write that is done."""
        self.is_whole = birth.disk == 0 or APPLIED in birth.rows
        self._others = tuple(number for number in birth.hosts if number != birth.number)
        self._waiting: dict[int, tuple[Request, int]] = {}
        """By client, its open request and its place."""
        self._gap_ms = NEVER
        self._fetch_ms = birth.now_ms if not self.is_whole else NEVER
        self._rows: dict[bytes, bytes | None] = {}
        self._parcels: list[Parcel] = []
        self._unwritten: deque[tuple[bool, int]] = deque()
        """Of each unconfirmed effect: is a part of it the peer's; what is applied with it."""
        if self.applied >= 0:
            self.peer.done(self.applied)

    @property
    def deadline_ms(self) -> int:
        """When `tick` is due next."""
        return min(self.peer.deadline_ms, self._gap_ms, self._fetch_ms)

    def step(self, sender: int, message: Spoken, now_ms: int) -> None:
        """A letter, a request or another's state arrives."""
        match message:
            case Letter():
                self.decrees.step(sender, message, now_ms)
            case Request():
                self._on_request(sender, message)
            case Fetch():
                if self.is_whole:
                    rows = tuple(sorted(self._state_rows().items()))
                    self._parcels.append(Parcel(sender, State(self.applied, rows), is_answer=True))
            case State():
                self._on_state(message)
            case Reply():
                raise AssertionError("replies go to clients")
        self._pump(now_ms)

    def tick(self, now_ms: int) -> None:
        """Time has passed."""
        self.peer.tick(now_ms)
        if self._fetch_ms <= now_ms:
            self._fetch_ms = now_ms + FETCH_MS
            self._parcels += [Parcel(other, Fetch()) for other in self._others]
        if self._gap_ms <= now_ms:
            self._gap_ms = NEVER
            self.peer.start(self.applied + 1, NO_OPERATION)
        self._pump(now_ms)

    def effects(self) -> Effects | None:
        """Return what to do next."""
        own = self.decrees.effects()
        if own is None and not self._rows and not self._parcels:
            return None
        rows = (*(own.rows if own else ()), *self._rows.items())
        parcels = (*(own.parcels if own else ()), *self._parcels)
        self._unwritten.append((own is not None, self.applied if self._rows else -1))
        self._rows = {}
        self._parcels = []
        return Effects(rows, parcels)

    def persisted(self, now_ms: int) -> None:
        """What is applied on disk is needed no more as an instance."""
        is_peers, applied = self._unwritten.popleft()
        if is_peers:
            self.decrees.persisted(now_ms)
        if applied >= 0:
            self.peer.done(applied)
        self._pump(now_ms)

    # Inside.

    def _on_request(self, place: int, request: Request) -> None:
        if not self.is_whole:
            return
        done = self.sessions.get(request.client, 0)
        if request.kind != "get" and request.number <= done:
            if request.number == done:
                self._answer(place, request, b"")
            return
        self._waiting[request.client] = (request, place)

    def _pump(self, now_ms: int) -> None:
        """Apply what is decided, ask for what is wanted, notice what was missed."""
        if self.applied + 1 < self.peer.min and self.is_whole:
            # Only a disk that was replaced can be behind what everybody is done with.
            self.is_whole = False
            self._fetch_ms = now_ms
        if not self.is_whole:
            return
        while (status := self.peer.status(self.applied + 1)).fate is Fate.DECIDED:
            assert status.value is not None, "what is decided is a value"
            self._apply(status.value)
        wanted = [request for request, _ in self._waiting.values()]
        if wanted:
            self.peer.start(self.applied + 1, msgspec.msgpack.encode(wanted))
            self._gap_ms = NEVER
        elif self.peer.max <= self.applied:
            self._gap_ms = NEVER
        elif self._gap_ms == NEVER:
            self._gap_ms = now_ms + GAP_MS

    def _apply(self, value: bytes) -> None:
        self.applied += 1
        self._gap_ms = NEVER
        self._rows[APPLIED] = b"%d" % self.applied
        for request in _OPS.decode(value):
            answer = self._perform(request)
            waiting, place = self._waiting.get(request.client, (None, 0))
            if waiting is not None and waiting.number == request.number:
                del self._waiting[request.client]
                self._answer(place, request, answer)

    def _answer(self, place: int, request: Request, value: bytes) -> None:
        self._parcels.append(Parcel(place, Reply(request.number, value), is_answer=True))

    def _perform(self, request: Request) -> bytes:
        """Do it, unless it is a write that was done before; return the answer."""
        key, held = request.key, self.values.get(request.key, b"")
        if request.kind == "get":
            return held
        if request.number > self.sessions.get(request.client, 0):
            self.sessions[request.client] = request.number
            self.values[key] = request.value if request.kind == "put" else held + request.value
            self._rows[KEY + key] = self.values[key]
            self._rows[SESSION + b"%d" % request.client] = b"%d" % request.number
        return b""

    def _state_rows(self) -> dict[bytes, bytes]:
        rows = {KEY + key: value for key, value in self.values.items()}
        rows.update((SESSION + b"%d" % who, b"%d" % n) for who, n in self.sessions.items())
        return rows

    def _on_state(self, state: State) -> None:
        if self.is_whole or state.applied + 1 < self.peer.min or not self.peer.is_ready:
            return
        self.is_whole = True
        self._fetch_ms = NEVER
        self.applied = state.applied
        self.values = {k[1:]: v for k, v in state.rows if k.startswith(KEY)}
        self.sessions = {int(k[1:]): int(v) for k, v in state.rows if k.startswith(SESSION)}
        self._rows.update(state.rows)
        self._rows[APPLIED] = b"%d" % state.applied


SPOKEN: Final = Language(
    Spoken, lambda message: message.message if isinstance(message, Letter) else message
)
