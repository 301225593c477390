"""Two groups, each a world of its own, between which a shard moves; and whoever drives the move.

The worlds share their time: the second one is run up to the first whenever the script looks at it.
What is sent between the groups goes by the script, so it is late by a poll, and lost with whom it
was asked of. The driver stands for the leader of the destination, which will do this one day.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, Final

from pnyx.ids import Epoch, GroupId, ShardId
from pnyx.lab.invariants.checker import Invariants
from pnyx.lab.scenario import Failed, Script, Sleep, Step
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import AnyCommand
from pnyx.machine.group import Group
from pnyx.machine.holdings import COPIED, Phase, Shard
from pnyx.machine.moves import (
    Changes,
    Frozen,
    MoveAbort,
    MoveAccept,
    MoveActivate,
    MoveBegin,
    MoveChanges,
    MoveChunk,
    MoveDone,
    MoveForget,
    MoveFreeze,
    MoveRejected,
    MoveResolve,
    decode_frozen,
)
from pnyx.machine.moving import ACTIVATED, REJECTED
from pnyx.machine.results import OK, Result
from pnyx.replica.requests import Done

POLL_US: Final = 2_000
ATTEMPT_US: Final = 4_000_000
"""A request without an answer is asked again, at another node, after this."""
PATIENCE_US: Final = 60_000_000
CHUNK_BYTES: Final = 150
LAG_CHANGES: Final = 3
"""So few changes are left that the shard may be frozen."""
_TWICE_OF: Final = 4


class Pair:
    """The stage's own group, number 1, and another one beside it."""

    def __init__(self, stage: WorldStage) -> None:
        self.stage = stage
        other = WorldStage(stage.scenario, stage.seed + 1, [Invariants()])
        other.world.start()
        self.groups = (stage, other)

    def run(self) -> None:
        """Let the other world come up to the time of this one."""
        other = self.groups[1].world
        if not other.run(self.stage.now_us):
            assert other.violation is not None, "it ended for that"
            raise other.violation

    def sleep(self, us: int) -> Script:
        """Let time pass in both worlds."""
        until_us = self.stage.now_us + us
        while self.stage.now_us < until_us:
            yield Sleep(min(POLL_US, until_us - self.stage.now_us))
            self.run()

    def finish(self) -> None:
        """Judge the other world at its end."""
        world = self.groups[1].world
        for watch in world.watches.watches:
            watch.finish(world.processes.values())

    def ask(
        self, group: int, command: AnyCommand, name: str = "driver"
    ) -> Generator[Step, Any, Result]:
        """Ask one of the groups until it has answered; the command may be done twice."""
        began_us = self.stage.now_us
        while self.stage.now_us - began_us < PATIENCE_US:
            result = yield from self.attempt(group, command, name)
            if result is not None:
                return result[0]
            yield from self.sleep(10 * POLL_US)
        raise Failed(f"group {group + 1} had no answer to {command} in {PATIENCE_US / 1e6:g} s")

    def attempt(
        self, group: int, command: AnyCommand, name: str
    ) -> Generator[Step, Any, tuple[Result, ...] | None]:
        """Ask once, at any node; None if nobody knows what became of it."""
        there = self.groups[group]
        node = 1 + self.stage.below(there.nodes, f"node of {name}")
        call = there.call(node, command)
        began_us = self.stage.now_us
        while not call.over and self.stage.now_us - began_us < ATTEMPT_US:
            yield from self.sleep(POLL_US)
        return call.answer.results if isinstance(call.answer, Done) else None

    def replica(self, group: int, name: str) -> Group | None:
        """Return the state of any node that runs, None if the one that was drawn does not."""
        there = self.groups[group]
        drawn = there.process(1 + self.stage.below(there.nodes, name)).replica
        return None if drawn is None else drawn.group


@dataclass(slots=True, eq=False)
class Mover:
    """Drives the moves of one shard, one after the other."""

    pair: Pair
    shard: ShardId
    owner: int = 0
    """Which of the groups serves it: 0 or 1."""
    epoch: Epoch = Epoch(1)
    activated: int = 0
    rejected: int = 0
    freezes_us: list[int] = field(default_factory=list)

    def move(self) -> Script:
        """Bring the shard to the other group, or leave it where it is, by the destination's log."""
        source, destination = self.owner, 1 - self.owner
        yield from self._twice(source, MoveBegin(self.shard, self.epoch, GroupId(destination + 1)))
        yield from self._twice(destination, MoveAccept(self.shard, self.epoch, GroupId(source + 1)))
        yield from self._copy(source, destination)
        if self.pair.stage.below(8, "is it given up") == 0:
            yield from self._give_up(source, destination)
            return
        began_us = self.pair.stage.now_us
        frozen = yield from self._twice(source, MoveFreeze(self.shard, self.epoch))
        assert isinstance(frozen, bytes), f"a shard under way is frozen: {frozen!r}"
        outcome = yield from self._activate(source, destination, decode_frozen(frozen))
        if outcome == ACTIVATED:
            self.freezes_us.append(self.pair.stage.now_us - began_us)
            yield from self._twice(source, MoveDone(self.shard, self.epoch))
            self.owner, self.epoch = destination, Epoch(self.epoch + 1)
            self.activated += 1
        else:
            self.pair.stage.check(outcome == REJECTED, f"the move ended as {outcome!r}")
            yield from self._twice(source, MoveRejected(self.shard, self.epoch))
            self.epoch = Epoch(self.epoch + 2)
            self.rejected += 1

    def _copy(self, source: int, destination: int) -> Script:
        while True:
            held = yield from self._held(destination)
            there = self.pair.replica(source, "whom to copy from")
            if held.cursor == COPIED:
                left = None
                if there is not None:
                    left = there.changes(self.shard, self.epoch, held.changes, CHUNK_BYTES)
                if left is not None and len(left.effects) <= LAG_CHANGES:
                    return
            if there is not None:
                yield from self._take_over(destination, there, held)
            yield from self.pair.ask(source, MoveForget(self.shard, self.epoch, held.changes))

    def _take_over(self, destination: int, there: Group, held: Shard) -> Script:
        if held.cursor != COPIED:
            chunk = there.chunk(self.shard, self.epoch, held.cursor, CHUNK_BYTES)
            if chunk is not None:
                yield from self._twice(destination, MoveChunk(self.shard, self.epoch, chunk))
        changes = there.changes(self.shard, self.epoch, held.changes, CHUNK_BYTES)
        if changes is not None and changes.effects:
            yield from self._twice(destination, MoveChanges(self.shard, self.epoch, changes))
        yield from self.pair.sleep(POLL_US)

    def _activate(
        self, source: int, destination: int, frozen: Frozen
    ) -> Generator[Step, Any, Result]:
        while True:
            if self.pair.stage.below(10, "is it asked for") == 0:
                return (yield from self._twice(destination, MoveResolve(self.shard, self.epoch)))
            held = yield from self._held(destination)
            there = self.pair.replica(source, "whom to ask for the rest")
            changes = None
            if there is not None:
                changes = there.changes(self.shard, self.epoch, held.changes, 1 << 20)
            last = changes or Changes(held.changes + 1, ())
            outcome = yield from self._twice(
                destination, MoveActivate(self.shard, self.epoch, frozen, last)
            )
            if outcome in {ACTIVATED, REJECTED}:
                return outcome

    def _give_up(self, source: int, destination: int) -> Script:
        # The answer to the first one may be lost: then the second finds nothing to abort.
        yield from self._twice(source, MoveAbort(self.shard, self.epoch))
        outcome = yield from self._twice(destination, MoveResolve(self.shard, self.epoch))
        self.pair.stage.check(outcome == REJECTED, f"a move that was given up is {outcome!r}")
        self.epoch = Epoch(self.epoch + 2)
        self.rejected += 1

    def _held(self, group: int) -> Generator[Step, Any, Shard]:
        """Return what the leader of the destination has applied."""
        while True:
            there = self.pair.groups[group]
            leader = there.leader()
            replica = None if leader is None else there.process(leader).replica
            held = None if replica is None else replica.group.shard(self.shard)
            if held is not None and (held.phase, held.epoch) == (Phase.IMPORTING, self.epoch):
                return held
            yield from self.pair.sleep(POLL_US)

    def _twice(self, group: int, command: AnyCommand) -> Generator[Step, Any, Result]:
        """Tell it, now and then again later."""
        result = yield from self.pair.ask(group, command)
        if self.pair.stage.below(_TWICE_OF, "told twice") == 0:
            again = yield from self.pair.ask(group, command)
            is_same = again == result or {again, result} <= {OK, again}
            self.pair.stage.check(is_same, f"{command} gave {result!r}, then {again!r}")
        return result
