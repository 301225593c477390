"""What all connections of one node share: the store, who is here, counters, what CONFIG changes."""

from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from typing import Protocol

from pnyx.gateway.client import Client
from pnyx.gateway.limits import Limits
from pnyx.gateway.notices import Notices
from pnyx.gateway.parking import Parking
from pnyx.gateway.slowlog import SlowLog
from pnyx.gateway.store import Store
from pnyx.gateway.throttle import Throttle


@dataclass(slots=True)
class Counters:
    """Since the start, or since CONFIG RESETSTAT."""

    connections: int = 0
    commands: int = 0
    refused_connections: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    protocol_faults: int = 0
    """Connections closed because their bytes were no requests."""
    evicted_clients: int = 0
    output_limit_disconnections: int = 0
    denied_passwords: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    """Error replies by prefix; at most ERROR_PREFIXES_MAX of them."""


class Connected(Protocol):
    """A client's socket, as far as others than itself use it."""

    @property
    def is_busy(self) -> bool: ...

    def held_bytes(self) -> tuple[int, int]: ...

    def check(self, now: float) -> None: ...

    def notify(self, notice: bytes) -> None: ...

    def finish(self) -> None: ...

    def abort(self) -> None: ...


class Lobby:
    """Shared by both ports of a node; everything happens on its loop."""

    def __init__(self, store: Store, now_seconds: float) -> None:
        self.store = store
        self.limits = Limits.of(store.settings.limits)
        self.clients: dict[int, Client] = {}
        self.connections: dict[int, Connected] = {}
        self.held_bytes = 0
        """Of requests and replies of all clients, as far as they have been counted."""
        self.commands_per_second = 0
        """In the last second or so."""
        self.is_stopping = False
        self.now_ms = int(now_seconds * 1000)
        """The monotonic clock, about a second fine: enough for ages and idle times. A wall clock
        that is set an hour ahead must drop nobody."""
        self.counters = Counters()
        self.slow_log = SlowLog()
        self.notices = Notices()
        self.parking = Parking(store.settings.limits.parked_bytes_max)
        self.park_seconds = store.settings.limits.park_ms / 1000
        """How long a command may wait for a group that serves its shard."""
        self.throttle = Throttle()
        self.started_at = now_seconds
        """On the monotonic clock, as all seconds of the gateway."""
        self._last_id = 0
        self.password = b""
        """What clients must say; empty: nothing. CONFIG SET changes it on this node."""
        self.set_password(store.settings.requirepass.encode())

    @property
    def wants_password(self) -> bool:
        """Must clients say AUTH?"""
        return self.password != b""

    def set_password(self, password: bytes) -> None:
        """Change the password; whoever is in stays in."""
        self.password = password
        self._password_digest = sha256(password).digest()

    def is_password(self, guess: bytes) -> bool:
        """Compare in a time that says nothing about the password, its length included."""
        return compare_digest(sha256(guess).digest(), self._password_digest)

    def next_client_id(self) -> int:
        """Return an id that no client of this start had."""
        self._last_id += 1
        return self._last_id

    def shed(self) -> None:
        """Drop the largest holders until all clients together fit the budget again (T2)."""
        if self.held_bytes <= self.limits.held_bytes_max:
            return
        holders = sorted(
            ((sum(one.held_bytes()), number) for number, one in self.connections.items()),
            reverse=True,
        )
        excess = self.held_bytes - self.limits.held_bytes_max
        for size, number in holders:
            if excess <= 0 or size == 0:
                return
            if self.clients[number].no_evict:
                continue
            self.counters.evicted_clients += 1
            self.connections[number].abort()
            excess -= size

    def count_error(self, text: str) -> None:
        """Count an error reply for INFO errorstats."""
        prefix = text.split(" ", 1)[0]
        if prefix in self.counters.errors or len(self.counters.errors) < ERROR_PREFIXES_MAX:
            self.counters.errors[prefix] += 1


ERROR_PREFIXES_MAX = 128
