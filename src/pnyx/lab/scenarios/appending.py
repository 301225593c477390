"""Clerks that append to keys of their own while groups come and go: each append is there once."""

from dataclasses import dataclass, field
from typing import Final

from pnyx.lab.scenario import Script, Sleep, Until
from pnyx.lab.scenarios.clerks import Clerk, Notes
from pnyx.lab.scenarios.fleet import Fleet, keys_by_shard

CLIENTS: Final = 10
END_US: Final = 60_000_000
"""Clerks have the answer of their last append within this."""


@dataclass(slots=True, eq=False)
class Crowd:
    """Ten clerks, one a key."""

    fleet: Fleet
    think_us: int
    lossy: bool = False
    clients: int = CLIENTS
    over: bool = False
    """Nobody begins another append."""
    notes: list[Notes] = field(default_factory=list)
    _working: int = 0
    _appends: int = 0

    def begin(self) -> Script:
        """Put every key, then let everybody append."""
        for number, key in enumerate(keys_by_shard(self.clients, self.fleet.layout.shards)):
            notes = Notes(Clerk(self.fleet, f"clerk {number}", self.lossy), [key])
            self.notes.append(notes)
            yield from notes.put_all()
        for notes in self.notes:
            self._working += 1
            self.fleet.stage.spawn(self._append(notes))

    def end(self, least: int) -> Script:
        """Stop them and compare; there must have been `least` appends."""
        stage = self.fleet.stage
        self.over = True
        yield Until(lambda: not self._working, END_US)
        stage.check(not self._working, f"{self._working} clerks still wait for an answer")
        for notes in self.notes:
            notes.clerk.lossy = False
            yield from notes.check()
        stage.check(self._appends >= least, f"only {self._appends} appends were done")

    def _append(self, notes: Notes) -> Script:
        while not self.over:
            yield from notes.append(notes.keys[0])
            self._appends += 1
            yield Sleep(self.think_us)
        self._working -= 1
