"""Carries out what the controller planned, for one group, as long as it leads here.

A function of the atlas, of what the group has applied, and of answers: it holds nothing that a new
leader would miss. How its owner turns it:

1. `wanted` whenever something may have changed: the atlas, an answer, `deadline_ms`. Each `Ask` is
   submitted to its group, with itself as the ticket.
2. `answered` with what came back.

Moves *to* this group are driven here (arrival.py); what leaves it is settled (departures.py).
"""

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from pnyx.ids import Epoch, GroupId, ShardId
from pnyx.machine.configuration import NOBODY
from pnyx.machine.group import Group
from pnyx.machine.holdings import Phase, Shard
from pnyx.replica.arrival import Arrival, Progress, Stage
from pnyx.replica.asks import Ask
from pnyx.replica.atlas import Atlas
from pnyx.replica.budget import Budget
from pnyx.replica.departures import Departures
from pnyx.replica.effects import NEVER
from pnyx.replica.limits import MigrationLimits
from pnyx.replica.requests import Answer

ENDED_COUNT_MAX: Final = 1_024
"""Moves that are over and still told of."""
FREEZE_MS_BOUNDS: Final = (5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)
"""Two commits and a round trip are some milliseconds; requests are parked for a second or so."""


@dataclass(slots=True)
class MoveCounters:
    """What became of the moves to groups that led here, since the node's start."""

    activated: int = 0
    rejected: int = 0
    copied_bytes: int = 0
    """Of rows and changes of moves that are over."""
    freezes: list[int] = field(default_factory=lambda: [0] * (len(FREEZE_MS_BOUNDS) + 1))
    """Of moves by the first of `FREEZE_MS_BOUNDS` that is no less than their freeze, and beyond."""
    frozen_ms: int = 0
    """All their freezes together: how long shards were served by nobody."""
    ended: deque[Progress] = field(default_factory=lambda: deque(maxlen=ENDED_COUNT_MAX))
    """The last ones, oldest first."""

    def take(self, progress: Progress) -> None:
        """A move is over."""
        self.activated += progress.stage is Stage.ACTIVATED
        self.rejected += progress.stage is not Stage.ACTIVATED
        self.copied_bytes += progress.copied_bytes
        if progress.freeze_ms:
            self.freezes[bisect_left(FREEZE_MS_BOUNDS, progress.freeze_ms)] += 1
            self.frozen_ms += progress.freeze_ms
        self.ended.append(progress)


class Migration:
    """One group's, from when its leader is here until it is not."""

    __slots__ = (
        "_arrivals",
        "_budget",
        "_counters",
        "_departures",
        "_due_ms",
        "_group",
        "_limits",
        "_me",
        "_unfounded",
        "_version",
        "_watched",
    )  # fmt: skip

    def __init__(
        self, me: GroupId, group: Group, limits: MigrationLimits, counters: MoveCounters
    ) -> None:
        """Start with what `group`, the replica's own, has applied."""
        self._me = me
        self._group = group
        self._limits = limits
        self._counters = counters
        self._budget = Budget(limits.rate_bytes_s)
        self._departures = Departures(me, limits)
        self._arrivals: dict[tuple[ShardId, Epoch], Arrival] = {}
        """In the order in which they were taken up."""
        self._watched: list[ShardId] = []
        self._unfounded: list[ShardId] = []
        self._version = -1
        """Of the atlas when it was last looked through."""
        self._due_ms = 0

    def wanted(self, atlas: Atlas, now_ms: int) -> list[Ask]:
        """Return what is to be submitted now, in this order."""
        if atlas.configuration is None:
            self._due_ms = NEVER
            return []
        if atlas.version != self._version:
            self._version = atlas.version
            self._look_through(atlas, now_ms)
        busy = self._arrivals or self._watched or self._unfounded
        self._due_ms = now_ms + self._limits.look_ms if busy else NEVER
        asks: list[Ask] = []
        copying = 0
        silent = {arrival.silent for arrival in self._arrivals.values()}
        for arrival in self._arrivals.values():
            # Those that wait find out when a group answers again; each more that it is asked for
            # would take a place from the others until it is given up.
            may_ask = arrival.waits or arrival.source not in silent
            if (may_ask and copying < self._limits.moves) or arrival.is_under_way:
                asks += arrival.wanted(self._held(arrival.shard), now_ms)
                copying += not arrival.waits
                self._due_ms = min(self._due_ms, arrival.deadline_ms)
        if not self._budget.has_room(now_ms):
            self._due_ms = min(self._due_ms, self._budget.free_ms)
        targets = atlas.configuration.targets
        for shard in self._watched:
            held, serving = self._held(shard), atlas.serving(shard)
            ask = self._departures.wanted(shard, held, serving, targets[shard], now_ms)
            if ask is not None:
                asks.append(ask)
        if self._unfounded:
            founding = self._departures.founding(self._still_unfounded(atlas), now_ms)
            asks += [] if founding is None else [founding]
        return asks

    def answered(self, ask: Ask, answer: Answer, now_ms: int) -> None:
        """Take in what became of an ask. Answers may come late, twice or never."""
        if self._departures.answered(ask, answer, now_ms):
            return
        arrival = self._arrivals.get((ask.shard, ask.epoch))
        if arrival is not None:
            arrival.answered(ask, answer, now_ms)

    def passing(self, atlas: Atlas, now_ms: int) -> int:
        """Return how many shards change hands just now: clients wait for them and see no error."""
        return sum(
            self._passes(ShardId(shard), atlas, now_ms)
            for shard, owner in enumerate(atlas.owners)
            if owner == self._me
        )

    @property
    def deadline_ms(self) -> int:
        """When `wanted` is to be called again if nothing else happens."""
        return self._due_ms

    def progress(self, now_ms: int) -> list[Progress]:
        """Return how the moves to this group are getting on, by shard."""
        found = [
            arrival.progress(self._held(arrival.shard), now_ms)
            for arrival in self._arrivals.values()
        ]
        return sorted(found, key=lambda progress: progress.shard)

    # Inside.

    def _held(self, shard: ShardId) -> Shard:
        held = self._group.shard(shard)
        assert held is not None, "all groups cut the slots into the same shards"
        return held

    def _passes(self, shard: ShardId, atlas: Atlas, now_ms: int) -> bool:
        held = self._held(shard)
        if held.phase is Phase.FROZEN:
            return self._departures.age_ms(shard, now_ms) < self._limits.unnoticed_ms
        # Given up, so its destination serves it, and the controller will hear of that.
        return held.phase is Phase.AWAY and atlas.serving(shard).epoch <= held.floor

    def _look_through(self, atlas: Atlas, now_ms: int) -> None:
        """Find out which shards concern this group."""
        watched: list[ShardId] = []
        unfounded: list[ShardId] = []
        arriving: dict[tuple[ShardId, Epoch], GroupId] = {}
        for number in range(atlas.shards):
            shard = ShardId(number)
            serving, held = atlas.serving(shard), self._held(shard)
            if serving.destination == self._me:
                arriving[shard, serving.epoch] = serving.group
            at_rest = serving.group == self._me and serving.destination == NOBODY
            if held.phase is not Phase.AWAY and not (at_rest and held.phase is Phase.SERVING):
                watched.append(shard)
            if serving.group == self._me and held.phase is Phase.AWAY:
                unfounded.append(shard)
        self._watched, self._unfounded = watched, unfounded
        self._departures.keep(set(watched))
        for key in [key for key in self._arrivals if key not in arriving]:
            arrival = self._arrivals.pop(key)
            self._counters.take(arrival.progress(self._held(arrival.shard), now_ms))
        for (shard, epoch), source in arriving.items():
            if (shard, epoch) not in self._arrivals:
                self._arrivals[shard, epoch] = Arrival(
                    shard,
                    epoch,
                    source=source,
                    me=self._me,
                    limits=self._limits,
                    budget=self._budget,
                    now_ms=now_ms,
                )

    def _still_unfounded(self, atlas: Atlas) -> list[tuple[ShardId, Epoch]]:
        """Return those that may be founded now: what was served here before is not among them."""
        found: list[tuple[ShardId, Epoch]] = []
        for shard in self._unfounded:
            held, serving = self._held(shard), atlas.serving(shard)
            if held.phase is Phase.AWAY and serving.epoch > held.floor:
                found.append((shard, serving.epoch))
        self._unfounded = [shard for shard, _ in found]
        return found
