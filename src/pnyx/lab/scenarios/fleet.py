"""A controller and groups of a world, for the scripts that let them join, leave, stop and start.

Nodes carry out what is asked here: the script only asks the controller, and hurts nodes.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pnyx.consensus.consensus import Consensus
from pnyx.ids import GroupId
from pnyx.lab.layout import Layout, apart
from pnyx.lab.ledgers import Ledgers
from pnyx.lab.scenario import Call, Scenario, Script, Sleep, Step, Until, scenario
from pnyx.lab.scenarios.clients import Client
from pnyx.lab.scenarios.operators import Operator
from pnyx.lab.seat import Seat
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import AnyCommand
from pnyx.machine.configuration import Configuration, Member, Placement
from pnyx.machine.directives import Found
from pnyx.machine.rows import KIND_RECENT, KIND_SHARD
from pnyx.machine.shards import shard_of_slot
from pnyx.machine.slots import slot_of
from pnyx.replica.arrival import Progress
from pnyx.replica.limits import MigrationLimits, ReplicaLimits
from pnyx.replica.roster import CONTROL, Roster

CLASSROOM: Final = (100, 101, 102)
SHARDS: Final = 10
POLL_US: Final = 10_000
MOVED_US: Final = 30_000_000
"""Within this all moves of a change are over, whoever loses power meanwhile."""
CALM_US: Final = 10_000_000
SMALL_CHUNKS: Final = MigrationLimits(chunk_bytes=150, freeze_bytes=4_000)
"""So that a few keys are several chunks, and have changes."""
LOSSY: Final = ReplicaLimits(outcome_ms=500)
"""Real links lose all that is on its way or nothing, and say so. Where one message in ten is lost,
nobody waits for its answer as long as for that of a slow disk."""


@dataclass(slots=True, eq=False)
class Caller(Client):
    """Somebody who asks the controller."""

    def call(self, commands: tuple[AnyCommand, ...]) -> Call:
        """Ask its node, which knows where the controller is."""
        assert isinstance(self.stage, WorldStage), "groups live in the world"
        return self.stage.call(self.node, *commands, group=CONTROL)

    def turn(self) -> None:
        """Ask whoever leads the controller next: a forward that is lost costs seconds."""
        assert isinstance(self.stage, WorldStage), "groups live in the world"
        leader = self.stage.leader(CONTROL)
        if leader in self.among and leader != self.node:
            self.node = leader
        else:
            self.node = next((node for node in self.among if node > self.node), self.among[0])


@dataclass(slots=True, eq=False)
class Planner(Operator):
    """An operator of a world in which groups exist."""

    def __post_init__(self) -> None:
        """Choose whom to ask first."""
        self.client = Caller(self.stage, self.name, lossy=self.lossy, among=self.among)

    def placed(self, *groups: int) -> tuple[Placement, ...]:
        """Return where groups live, by the stage's layout."""
        stage = self.stage
        assert isinstance(stage, WorldStage), "groups live in the world"
        layout = layout_of(stage)
        return tuple(
            Placement(
                GroupId(group),
                tuple(_member(stage, node) for node in layout.groups[group]),
                layout.engines.get(group, stage.scenario.consensus),
            )
            for group in groups
        )


@dataclass(slots=True, eq=False)
class Fleet:
    """All groups of one stage."""

    stage: WorldStage
    operator: Planner
    layout: Layout = field(init=False)

    def __post_init__(self) -> None:
        """Know where everybody is."""
        self.layout = layout_of(self.stage)

    # Changes. Each returns when the controller has taken it; `settled` waits for the moves.

    def join(self, *groups: int) -> Generator[Step, Any, Configuration]:
        """Let groups join."""
        return (yield from self.operator.join(*groups))

    def leave(self, *groups: int) -> Generator[Step, Any, Configuration]:
        """Let groups leave, when no move of theirs is under way any more."""
        return (yield from self.operator.leave(*groups))

    def joined(self, *groups: int) -> Script:
        """Let groups join and get their shards."""
        yield from self.join(*groups)
        yield from self.settled()

    def left(self, *groups: int) -> Script:
        """Let groups leave and give their shards away."""
        yield from self.leave(*groups)
        yield from self.settled()

    def settled(self, within_us: int = MOVED_US) -> Script:
        """Wait until every shard is served by the group whose it should be."""
        stage, began_us = self.stage, self.stage.now_us
        while True:
            directory = yield from self.operator.directory()
            newest = yield from self.operator.query()
            serving = tuple(each.group for each in directory.shards)
            if serving == newest.targets and not directory.undecided():
                yield from self._is_served(serving, began_us + within_us)
                return
            is_time = stage.now_us - began_us < within_us
            stage.check(is_time, f"not moved within {within_us / 1e6:g} s: {directory}")
            yield Sleep(POLL_US)

    def _is_served(self, serving: Sequence[GroupId], until_us: int) -> Script:
        ledgers = ledgers_of(self.stage)
        if ledgers is None:
            return
        there = yield Until(
            lambda: [ledgers.owner(shard) for shard in range(len(serving))] == list(serving),
            max(until_us - self.stage.now_us, POLL_US),
        )
        owners = [ledgers.owner(shard) for shard in range(len(serving))]
        self.stage.check(there, f"the directory says {serving}, by their logs {owners} serve")

    # Nodes.

    def nodes(self, *groups: int) -> list[int]:
        """Return the nodes of groups."""
        return [node for group in groups for node in self.layout.groups[group]]

    def shut(self, *groups: int) -> None:
        """Let all nodes of groups lose their power."""
        for node in self.nodes(*groups):
            self.stage.crash(node)

    def start(self, *groups: int) -> None:
        """Start all nodes of groups."""
        for node in self.nodes(*groups):
            self.stage.restart(node)

    def leader(self, group: int) -> int | None:
        """Return which node leads a group."""
        return self.stage.leader(GroupId(group))

    def engines(self, group: int) -> dict[int, Consensus]:
        """Return what keeps a group's log, by the node of each replica."""
        return {seat.number: seat.replica.consensus for seat in self._seats(group)}

    def progress(self, group: int) -> list[Progress]:
        """Return how moves to a group are getting on, as the node says that leads it."""
        leader = self.leader(group)
        process = None if leader is None else self.stage.process(leader)
        if process is None or not isinstance(process.crew, Roster):
            return []
        told = process.crew.migrations.progress(process.now().mono_ms)
        return [each for each in told if each.destination == group]

    def log_bytes(self, group: int) -> int:
        """Return the bytes of the longest log among a group's replicas."""
        return max((seat.replica.consensus.log_bytes for seat in self._seats(group)), default=0)

    def snapshot_bytes(self, group: int) -> int:
        """Return the bytes of a snapshot of a group: of the largest among its replicas."""
        return max(
            (sum(len(key) + len(row) for key, row in rows_of(seat)) for seat in self._seats(group)),
            default=0,
        )

    def kept_bytes(self, *groups: int) -> tuple[int, int]:
        """Return the bytes of log and rows of all replicas of groups, and those of counters."""
        kept = counters = 0
        for seat in self._seats(*groups):
            kept += seat.replica.consensus.log_bytes
            for key, row in rows_of(seat):
                if key[:1] in {KIND_RECENT, KIND_SHARD}:
                    counters += len(key) + len(row)
                else:
                    kept += len(key) + len(row)
        return kept, counters

    def _seats(self, *groups: int) -> list[Seat]:
        return [
            seat
            for group in groups
            for node in self.layout.groups[group]
            if (seat := self.stage.process(node).seats.get(GroupId(group))) is not None
        ]


def fleet_scenario(
    identifier: str,
    *,
    about: str,
    source: str,
    layout: Layout | None = None,
    **more: Any,
) -> Callable[[Callable[..., Script]], Scenario]:
    """Make a script a scenario of the classroom's twelve nodes, or of another layout."""
    layout = layout or apart(CLASSROOM, shards=SHARDS)
    more.setdefault("migration", SMALL_CHUNKS)
    more.setdefault("limit_us", 240_000_000)
    if more.get("unreliable"):
        more.setdefault("limits", LOSSY)
    return scenario(
        identifier, about=about, source=source, nodes=layout.nodes, layout=layout, **more
    )


def manned(stage: WorldStage, *, lossy: bool = False) -> Generator[Step, Any, Fleet]:
    """Wait for a controller that leads, and let it found the shards."""
    layout = layout_of(stage)
    led = yield Until(lambda: stage.leader(CONTROL) is not None, CALM_US)
    stage.check(led, f"no controller led within {CALM_US / 1e6:g} s")
    operator = Planner(stage, "operator", lossy, layout.controllers, shared=layout.is_shared)
    result, _ = yield from operator.tell(Found(layout.shards))
    stage.check(isinstance(result, bytes), f"the founding gave {result!r}")
    return Fleet(stage, operator)


def layout_of(stage: WorldStage) -> Layout:
    """Return where the replicas of a stage live."""
    assert stage.scenario.layout is not None, "a fleet has many groups"
    return stage.scenario.layout


def ledgers_of(stage: WorldStage) -> Ledgers | None:
    """Return who judges the groups of a stage, if anybody does."""
    watches = stage.world.watches.watches
    return next((watch for watch in watches if isinstance(watch, Ledgers)), None)


def rows_of(seat: Seat) -> list[tuple[bytes, bytes]]:
    """Return all rows of a replica's state, by their keys within it."""
    view = seat.replica.group.view()
    rows = list(view.rows())
    view.close()
    return rows


def keys_by_shard(count: int, shards: int, *, name: bytes = b"") -> list[bytes]:
    """Return keys, the first of shard 0, the next of shard 1 and so on, round and round."""
    keys: list[bytes] = []
    tried = 0
    while len(keys) < count:
        key = b"%s%d" % (name, tried)
        tried += 1
        if shard_of_slot(slot_of(key), shards) == len(keys) % shards:
            keys.append(key)
    return keys


def _member(stage: WorldStage, node: int) -> Member:
    process = stage.process(node)
    return Member(process.label, f"{process.label}:7000", process.node)


def second(stage: WorldStage) -> Planner:
    """Return another operator, who does not know of the first one."""
    layout = layout_of(stage)
    return Planner(stage, "second operator", among=layout.controllers, shared=layout.is_shared)


def take_turns(fleet: Fleet) -> Script:
    """Let groups come and go as the classroom does over unreliable links."""
    yield Sleep(150_000)
    yield from fleet.join(101)
    yield Sleep(500_000)
    yield from fleet.join(102)
    yield Sleep(500_000)
    yield from fleet.leave(100)
    yield Sleep(500_000)
    yield from fleet.leave(101)
    yield Sleep(500_000)
    yield from fleet.join(101)
    yield from fleet.join(100)
