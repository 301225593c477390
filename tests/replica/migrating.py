"""A controller and data groups in memory, the migration of each leader, and all that goes astray.

A group is its log and two replicas: one leads and answers, the other is behind and may be read.
What is asked takes its time; it may be lost, or its answer may, or come twice; leaders change, and
groups are away for a while. Clients write wherever a shard is served.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush

from machine.driving import LIMIT_BYTES, pair
from pnyx.consensus.ready import Entry
from pnyx.ids import GroupId, NodeId, ShardId
from pnyx.machine.commands import AnyCommand, Batch, Get, IncrBy, Set
from pnyx.machine.configuration import Member, Placement
from pnyx.machine.controller import CONTROLLER
from pnyx.machine.directives import Found, Join, Leave, Move
from pnyx.machine.group import Group
from pnyx.machine.holdings import WRONG_SHARD, Phase, Shard
from pnyx.machine.machine import Machine
from pnyx.machine.moves import MoveChanges, MoveChunk
from pnyx.machine.moving import SHARDS
from pnyx.machine.results import Result
from pnyx.machine.slots import slot_of
from pnyx.prng import Prng
from pnyx.replica.arrival import Progress
from pnyx.replica.asks import Ask
from pnyx.replica.atlas import READ, Atlas
from pnyx.replica.limits import MigrationLimits
from pnyx.replica.migration import Migration, MoveCounters
from pnyx.replica.requests import Answer, Done, NotDone, Reason, Unknown
from pnyx.storage.memory import MemorySpace

COUNT = 12
"""Shards."""
WALL_MS = 1_000_000
OUTCOME_MS = 3_000
LIMITS = MigrationLimits(
    chunk_bytes=2_500, under_way_bytes=1_000, freeze_bytes=2_500, forget_bytes=500
)


@dataclass
class Faults:
    """One of so many; 0: none."""

    lost_asks: int = 0
    lost_answers: int = 0
    doubled: int = 0
    behind: int = 3
    """Stale reads that go to the replica behind."""
    latest_ms: int = 20


@dataclass
class Side:
    """One group."""

    number: GroupId
    machine: Machine
    group: Group
    behind: Group
    entries: list[tuple[Entry, Batch]] = field(default_factory=list)
    away: bool = False
    atlas: Atlas = field(default_factory=Atlas)
    migration: Migration | None = None

    def tell(self, stamp_ms: int, *commands: AnyCommand) -> list[Result]:
        entry = pair(len(self.entries) + 1, Batch(stamp_ms, LIMIT_BYTES, commands))
        self.entries.append(entry)
        return self.group.apply([entry])[0]

    def follow(self, entries: int) -> None:
        first = self.behind.applied.index
        self.behind.apply(self.entries[first : first + entries])

    def shard(self, shard: int) -> Shard:
        held = self.group.shard(ShardId(shard))
        assert held is not None
        return held


class World:
    """Everything; `run` lets time pass."""

    def __init__(self, seed: int, limits: MigrationLimits = LIMITS, **faults: int) -> None:
        self.draw = Prng(seed)
        self.faults = Faults(**faults)
        self.limits = limits
        self.now_ms = 0
        self.counters = MoveCounters()
        self.sides: dict[GroupId, Side] = {}
        self.values: dict[bytes, int] = {}
        self.asked: list[Ask] = []
        """Everything that migrations ever wanted."""
        self._events: list[tuple[int, int, Callable[[], object]]] = []
        self._number = 0
        self._known = (-1, Atlas())
        self._open: dict[ShardId, int] = {}
        self._under_way: dict[ShardId, list[int]] = {}
        self.control = self._side(0, CONTROLLER)
        self.direct(Found(COUNT))

    def _side(self, number: int, machine: Machine) -> Side:
        group = GroupId(number)
        first, second = (Group(MemorySpace(), group, machine, shards=COUNT) for _ in range(2))
        side = self.sides[group] = Side(group, machine, first, second)
        return side

    # What operators and clients do.

    def direct(self, directive: AnyCommand) -> Result:
        result = self.control.tell(WALL_MS + self.now_ms, directive)[0]
        self._tell_news()
        return result

    def join(self, *groups: int) -> None:
        for group in groups:
            if GroupId(group) not in self.sides:
                self.lead(self._side(group, SHARDS))
        self.direct(Join(tuple(placed(group) for group in groups)))

    def leave(self, group: int) -> Result:
        return self.direct(Leave((GroupId(group),)))

    def move(self, shard: int, group: int) -> Result:
        return self.direct(Move(ShardId(shard), GroupId(group)))

    def count(self, key: bytes) -> bool:
        """Increment a key where it is served; return whether it is served anywhere."""
        done = False
        for side in self.data_sides:
            if not side.away:
                result = side.tell(WALL_MS + self.now_ms, IncrBy(key, 1))[0]
                if result != WRONG_SHARD:
                    assert not done, "two groups serve one shard"
                    done = True
                    self.values[key] = self.values.get(key, 0) + 1
                    assert result == self.values[key]
        return done

    def store(self, group: int, *pairs: tuple[bytes, bytes]) -> None:
        """Write plain values at a group, in one entry."""
        commands = [Set(key, value) for key, value in pairs]
        assert WRONG_SHARD not in self.sides[GroupId(group)].tell(WALL_MS + self.now_ms, *commands)

    # What goes astray.

    def lead(self, side: Side) -> None:
        """Another replica of the group leads from now on, and knows all that was committed."""
        side.follow(len(side.entries))
        side.group, side.behind = side.behind, side.group
        if side.machine is SHARDS:
            side.migration = Migration(side.number, side.group, self.limits, self.counters)
            self._turn(side)

    def luck(self, one_of: int) -> bool:
        return bool(one_of) and self.draw.below(one_of) == 0

    # Time.

    def run(self, ms: int) -> None:
        until_ms = self.now_ms + ms
        while self._events and self._events[0][0] <= until_ms:
            self.now_ms, _, event = heappop(self._events)
            event()
            self.check()
        self.now_ms = until_ms
        for side in self.data_sides:
            self._turn(side)

    def most_under_way(self, shard: int) -> int:
        """Return the most bytes of one shard's move that were proposed and not answered."""
        return max(self._under_way.get(ShardId(shard), [0]))

    def until(self, what: Callable[[], bool], ms_max: int = 60_000) -> int:
        """Let time pass until it is so; return how long that took."""
        began_ms = self.now_ms
        while not what():
            assert self.now_ms - began_ms < ms_max, f"not so after {ms_max} ms: {self.told()}"
            self.run(1)
        return self.now_ms - began_ms

    def told(self) -> list[Progress]:
        return [
            progress
            for side in self.data_sides
            if side.migration is not None
            for progress in side.migration.progress(self.now_ms)
        ]

    def later(self, ms: int, event: Callable[[], object]) -> None:
        self._number += 1
        heappush(self._events, (self.now_ms + ms, self._number, event))

    @property
    def data_sides(self) -> list[Side]:
        return [side for number, side in self.sides.items() if number]

    @property
    def atlas(self) -> Atlas:
        """What the controller knows."""
        applied = self.control.group.applied.index
        if self._known[0] != applied:
            atlas = Atlas()
            results = self.control.group.read(READ, 0)
            assert results is not None
            atlas.read(results)
            self._known = (applied, atlas)
        return self._known[1]

    @property
    def is_settled(self) -> bool:
        """Is every shard where it should be, and nothing of it anywhere else?"""
        atlas = self.atlas
        if atlas.undecided() or not atlas.number or any(self.told()):
            return False
        return all(
            side.shard(shard).phase
            is (Phase.SERVING if atlas.owner(ShardId(shard)) == side.number else Phase.AWAY)
            for side in self.data_sides
            for shard in range(COUNT)
        )

    def check(self) -> None:
        """One group at most serves a shard."""
        for shard in range(COUNT):
            serving = [side.number for side in self.data_sides if side.shard(shard).served]
            assert len(serving) <= 1, f"groups {serving} serve shard {shard}"

    def judge(self) -> None:
        """At the end: everything that was counted is there, once, on both replicas."""
        atlas = self.atlas
        for key, value in self.values.items():
            side = self.sides[atlas.group_of_slot(slot_of(key))]
            assert side.group.read((Get(key),), 0) == [b"%d" % value]
        for side in self.data_sides:
            side.follow(len(side.entries))
            rows = [list(each.space.scan(b"", b"\xff" * 9)) for each in (side.group, side.behind)]
            assert rows[0] == rows[1]

    # Inside.

    def _turn(self, side: Side) -> None:
        if side.migration is None or side.away:
            return
        for ask in side.migration.wanted(side.atlas, self.now_ms):
            self.asked.append(ask)
            self._note(ask, size_of(ask.commands[0]))
            if self.luck(self.faults.lost_asks):
                self._answer(side, ask, Unknown(), OUTCOME_MS)
                continue
            self.later(self._delay(), partial(self._arrive, side, ask))
            if self.luck(self.faults.doubled):
                # Nobody doubles a request; but an answer may be given up, and it asked again.
                self.later(self._delay() * 20, partial(self._carry_out, ask))

    def _arrive(self, asker: Side, ask: Ask) -> None:
        answer = self._carry_out(ask)
        if self.luck(self.faults.lost_answers):
            if self.luck(2):
                self._answer(asker, ask, Unknown(), OUTCOME_MS)
            return
        self._answer(asker, ask, answer, self._delay())
        if self.luck(self.faults.doubled):
            self._answer(asker, ask, answer, self._delay() * 20)

    def _carry_out(self, ask: Ask) -> Answer:
        side = self.sides[ask.group]
        side.follow(self.draw.below(4))
        if ask.stale and self.luck(self.faults.behind):
            results = side.behind.read(ask.commands, 0)
        elif side.away:
            return NotDone(Reason.NO_QUORUM)
        elif ask.by_log:
            results = side.tell(WALL_MS + self.now_ms, *ask.commands)
        else:
            results = side.group.read(ask.commands, 0)
        assert results is not None
        if ask.group == 0:
            self._tell_news()
        return Done(tuple(results))

    def _answer(self, asker: Side, ask: Ask, answer: Answer, ms: int) -> None:
        def told() -> None:
            self._note(ask, -size_of(ask.commands[0]))
            if asker.migration is not None:
                asker.migration.answered(ask, answer, self.now_ms)
                self._turn(asker)

        self.later(ms, told)

    def _note(self, ask: Ask, change: int) -> None:
        self._open[ask.shard] = self._open.get(ask.shard, 0) + change
        self._under_way.setdefault(ask.shard, []).append(self._open[ask.shard])

    def _tell_news(self) -> None:
        results = self.control.group.read(READ, 0)
        assert results is not None
        for side in self.data_sides:
            self.later(self._delay(), partial(self._learn, side, results))

    def _learn(self, side: Side, results: list[Result]) -> None:
        if side.atlas.read(results):
            self._turn(side)

    def _delay(self) -> int:
        return 1 + self.draw.below(self.faults.latest_ms)


def size_of(command: AnyCommand) -> int:
    """Return the bytes that a proposal of a move carries."""
    if isinstance(command, MoveChunk):
        return sum(len(key) + len(row) for key, row in command.chunk.rows)
    if isinstance(command, MoveChanges):
        return sum(len(k) + len(row or b"") for each in command.changes.effects for k, row in each)
    return 0


def placed(group: int) -> Placement:
    return Placement(GroupId(group), (Member(f"n{group}", f"n{group}:7000", NodeId(group)),))
