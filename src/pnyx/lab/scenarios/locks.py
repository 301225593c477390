"""A lock that is built only from versioned reads and puts, as MIT's lab 2 asks for one.

Who holds it has put an id of its own there; free is empty, or no key. A put that is told ErrMaybe
is settled by reading whose id is there: ids are never used twice.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final

from pnyx.lab.scenario import Script, Sleep, Stage, Step
from pnyx.lab.scenarios.versions import VersionClient

WAIT_US: Final = 10_000
"""Between two looks at a lock that somebody holds."""
HOLD_US: Final = 10_000
FREE: Final = b""


@dataclass(slots=True)
class Lock:
    """One client's view of a lock."""

    client: VersionClient
    name: bytes
    taken: int = 0
    """How often it was taken: part of the id."""
    version: int = 0
    """That it has while we hold it."""

    def acquire(self) -> Generator[Step, Any, None]:
        """Wait until it is free and take it."""
        self.taken += 1
        own = b"%b.%d" % (self.client.name.encode(), self.taken)
        while True:
            found = yield from self.client.read(self.name)
            if found.value == FREE:
                mine = yield from self.client.settle(self.name, own, found.version)
                if mine:
                    self.version = found.version + 1
                    return
            yield Sleep(WAIT_US)

    def release(self) -> Generator[Step, Any, None]:
        """Free it; only who holds it does."""
        told = yield from self.client.write(self.name, FREE, self.version)
        # Nobody else changes a lock that is held: even ErrMaybe means that it is free.
        self.client.stage.check(told in {"OK", "ErrMaybe"}, f"the holder was told {told}")


@dataclass(slots=True)
class Holders:
    """What the clients of one round do and saw."""

    stage: Stage
    guarded: bytes
    end_us: int
    held: int = 0
    """How often the lock was held."""
    inside: int = 0
    """How many hold it now, as whoever sees everything knows."""
    working: int = 0

    def hold(self, lock: Lock) -> Script:
        """Take the lock, leave an id, sleep, look, clear, give it back; again until the end."""
        self.working += 1
        client = lock.client
        while self.stage.now_us < self.end_us:
            yield from lock.acquire()
            self.inside += 1
            self.stage.check(self.inside == 1, f"{self.inside} clients hold {lock.name!r}")
            yield from self._guarded(client, b"%b.%d" % (client.name.encode(), lock.taken))
            self.inside -= 1
            yield from lock.release()
            self.held += 1
        self.working -= 1

    def are_over(self) -> bool:
        """Has everybody given the lock back for good?"""
        return self.held > 0 and self.working == 0

    def _guarded(self, client: VersionClient, own: bytes) -> Script:
        check = self.stage.check
        found = yield from client.read(self.guarded)
        check(found.value == FREE, f"{client.name} holds the lock and sees {found.value!r}")
        yield from client.settle(self.guarded, own, found.version)
        yield Sleep(HOLD_US)
        found = yield from client.read(self.guarded)
        check(found.value == own, f"{client.name} left {own!r} and sees {found.value!r}")
        yield from client.write(self.guarded, FREE, found.version)
        found = yield from client.read(self.guarded)
        check(found.value == FREE, f"{client.name} cleared it and sees {found.value!r}")
