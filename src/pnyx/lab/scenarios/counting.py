"""Clerks with sessions that count in keys of a shard and must be told the next number each time."""

from dataclasses import dataclass, field
from typing import Final

from pnyx.lab.scenario import Script, Sleep, Until
from pnyx.lab.scenarios.clerks import Clerk
from pnyx.lab.scenarios.fleet import Fleet, keys_by_shard

KEYS: Final = 3
"""That each clerk counts in."""
VALUE: Final = b"still " * 10
THINK_US: Final = 15_000
END_US: Final = 30_000_000


@dataclass(slots=True)
class Counting:
    """All that is written into one shard."""

    fleet: Fleet
    shard: int
    clerks: int = 2
    still: int = KEYS
    """So many keys lie still, but for `rewrite`."""
    over: bool = False
    counts: dict[bytes, int] = field(default_factory=dict)
    """What was told last, by key."""
    _working: list[Clerk] = field(default_factory=list)
    _still: dict[bytes, bytes] = field(default_factory=dict)
    _counted: list[bytes] = field(default_factory=list)
    _first: Clerk = field(init=False)

    def begin(self) -> Script:
        """Write what lies still; let the clerks count."""
        shards = self.fleet.layout.shards
        count = shards * (self.still + self.clerks * KEYS)
        keys = keys_by_shard(count, shards)[self.shard :: shards]
        self._still, self._counted = dict.fromkeys(keys[: self.still], b""), keys[self.still :]
        self._first = Clerk(self.fleet, "first")
        yield from self.rewrite(VALUE)
        for number in range(self.clerks):
            self.fleet.stage.spawn(self._work(number))

    def rewrite(self, value: bytes) -> Script:
        """Write once whatever lies still."""
        self._working.append(self._first)
        for key in self._still:
            yield from self._first.put(key, value)
            self._still[key] = value
        self._working.remove(self._first)

    def _work(self, number: int) -> Script:
        stage, clerk = self.fleet.stage, Clerk(self.fleet, f"clerk {number}")
        mine = self._counted[number :: self.clerks]
        self._working.append(clerk)
        while not self.over:
            key = mine[stage.below(len(mine), f"key of {clerk.name}")]
            told = yield from clerk.add(key)
            self.counts[key] = self.counts.get(key, 0) + 1
            stage.check(told == self.counts[key], f"{key!r}: {told} for {self.counts[key]}")
            yield Sleep(THINK_US)
        self._working.remove(clerk)

    def end(self) -> Script:
        """Let every clerk have its last answer, and what is rewritten be written."""
        self.over = True
        yield Until(lambda: not self._working, END_US)
        self.fleet.stage.check(not self._working, "a clerk still waits for an answer")

    def check(self) -> Script:
        """Read all that was written."""
        stage = self.fleet.stage
        for key, written in self._still.items():
            value = yield from self._first.get(key)
            stage.check(value == written, f"{key!r} is {value!r}")
        for key, told in self.counts.items():
            value = yield from self._first.get(key)
            stage.check(value == b"%d" % told, f"{key!r} was counted {told} times and is {value!r}")
