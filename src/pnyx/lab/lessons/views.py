"""A view service: one host that says who is primary and who is backup.

A view has a number, a primary and perhaps a backup. It may be followed by another only after its
primary has said that it acts in it: else two servers could each be primary of views that never
heard of each other. Only who has a state may become primary. Everything here is in memory, on one
host: what that costs is the lesson (scenarios B-X2 and B-X3).
"""

from typing import Final, NamedTuple

from msgspec import Struct

from pnyx.lab.lessons.node import Birth, Effects, Parcel

PING_MS: Final = 100
DEAD_MS: Final = 5 * PING_MS
"""Who was not heard of for so long is dead."""
NOBODY: Final = 0


class View(Struct, frozen=True, tag=True):
    """Answers a `Ping` or an `AskView`."""

    number: int
    """From 1; 0: there is none yet."""
    primary: int
    backup: int


class Ping(Struct, frozen=True, tag=True):
    """A server is there, and has the state of the view of that number; 0: it has none."""

    number: int


class AskView(Struct, frozen=True, tag=True):
    """A client wants to know whom to ask."""


NO_VIEW: Final = View(0, NOBODY, NOBODY)


class Heard(NamedTuple):
    """The newest ping of a server."""

    at_ms: int
    number: int


class ViewService:
    """Who is primary, who is backup, and whether they live."""

    def __init__(self, birth: Birth) -> None:
        """Begin without a view."""
        self.view = NO_VIEW
        self.is_acknowledged = False
        """Has the primary said that it acts in this view?"""
        self.heard: dict[int, Heard] = {}
        self._restarted: set[int] = set()
        """Servers of this view that have lost their state."""
        self._tick_ms = birth.now_ms + PING_MS
        self._parcels: list[Parcel] = []

    @property
    def deadline_ms(self) -> int:
        """When it looks who is alive."""
        return self._tick_ms

    def step(self, sender: int, message: Ping | AskView, now_ms: int) -> None:
        """Take a ping, or tell the view."""
        if isinstance(message, Ping):
            self._on_ping(sender, message.number, now_ms)
        self._parcels.append(Parcel(sender, self.view, is_answer=True))

    def tick(self, now_ms: int) -> None:
        """Look who is dead."""
        self._tick_ms = now_ms + PING_MS
        if self.view.number and self.may_change():
            self._change(now_ms)

    def effects(self) -> Effects | None:
        """Return the answers."""
        if not self._parcels:
            return None
        parcels, self._parcels = tuple(self._parcels), []
        return Effects(parcels=parcels)

    def persisted(self, now_ms: int) -> None:
        """Nothing here is on a disk."""

    def may_change(self) -> bool:
        """May another view follow this one?"""
        return self.is_acknowledged

    def may_lead(self, server: int) -> bool:
        """May that server be primary of the next view?"""
        return self.is_alive(server) and self.heard[server].number == self.view.number

    def is_alive(self, server: int) -> bool:
        """Was it heard lately, with its state if it has to have one?"""
        return server in self.heard and server not in self._restarted

    def _on_ping(self, server: int, number: int, now_ms: int) -> None:
        view, before = self.view, self.heard.get(server)
        self.heard[server] = Heard(now_ms, number)
        if view.number == 0:
            self._enter(View(1, server, NOBODY))
        elif server == view.primary and number == view.number:
            self.is_acknowledged = True
        elif number == 0 and self._had_state(server, before):
            self._restarted.add(server)

    def _had_state(self, server: int, before: Heard | None) -> bool:
        if server == self.view.primary:
            return self.is_acknowledged
        return (
            server == self.view.backup and before is not None and before.number == self.view.number
        )

    def _change(self, now_ms: int) -> None:
        """Replace who is dead, all in one view."""
        for server, heard in sorted(self.heard.items()):
            if now_ms - heard.at_ms >= DEAD_MS:
                del self.heard[server]
        primary, backup = self.view.primary, self.view.backup
        if not self.is_alive(primary):
            if not self.may_lead(backup):
                return
            primary, backup = backup, NOBODY
        if backup == NOBODY or not self.is_alive(backup):
            idle = [server for server in sorted(self.heard) if server != primary]
            backup = idle[0] if idle else NOBODY
        if (primary, backup) != (self.view.primary, self.view.backup) or self._restarted:
            self._enter(View(self.view.number + 1, primary, backup))

    def _enter(self, view: View) -> None:
        self.view = view
        self.is_acknowledged = False
        self._restarted.clear()
