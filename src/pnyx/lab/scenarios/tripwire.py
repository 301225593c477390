"""Acts at the very event in which a move comes to a step, which no script that looks can hit."""

from collections.abc import Callable
from enum import IntEnum

from pnyx.consensus.ready import EntryKind
from pnyx.ids import GroupId, ShardId
from pnyx.lab.commandlog import log_of
from pnyx.lab.seat import Seat
from pnyx.lab.timeline import NOWHERE
from pnyx.lab.watch import Watch
from pnyx.machine.commands import decode
from pnyx.machine.directives import Order
from pnyx.machine.holdings import COPIED, Phase, Shard
from pnyx.machine.moves import MoveActivate, MoveFreeze


class Step(IntEnum):
    """How far a move has come: what some replica has applied."""

    BEGUN = 1
    ACCEPTED = 2
    COPYING = 3
    COPIED = 4
    FREEZING = 5
    """The source's leader has the freeze in its log, not committed."""
    FROZEN = 6
    ACTIVATING = 7
    """The destination's leader has the activation in its log, not committed."""
    ACTIVATED = 8
    DONE = 9


class Tripwire(Watch):
    """Waits for one shard's first move from a group to another one."""

    def __init__(
        self, source: int, destination: int, shard: int, step: Step, act: Callable[[], None]
    ) -> None:
        """Call `act` right after the event in which the move comes to `step`."""
        self.reached = False
        self._source = GroupId(source)
        self._destination = GroupId(destination)
        self._shard = ShardId(shard)
        self._step = step
        self._act = act
        self._had = False

    def touched(self, seat: Seat) -> None:
        """Look at the replica."""
        if self.reached or seat.group not in {self._source, self._destination}:
            return
        held = seat.replica.group.shard(self._shard)
        if held is None:
            return
        if seat.group == self._source:
            is_there = self._of_source(seat, held)
        else:
            is_there = self._of_destination(seat, held)
        if is_there:
            self.reached = True
            seat.process.world.timeline.after_us(0, "script", NOWHERE, self._act)

    def _of_source(self, seat: Seat, held: Shard) -> bool:
        match self._step:
            case Step.BEGUN:
                return held.phase is Phase.EXPORTING
            case Step.FREEZING:
                return held.phase is Phase.EXPORTING and _proposes(seat, MoveFreeze)
            case Step.FROZEN:
                return held.phase is Phase.FROZEN
            case Step.DONE:
                self._had = self._had or held.phase is Phase.FROZEN
                return self._had and held.phase is Phase.AWAY
            case _:
                return False

    def _of_destination(self, seat: Seat, held: Shard) -> bool:
        match self._step:
            case Step.ACCEPTED:
                return held.phase is Phase.IMPORTING
            case Step.COPYING:
                return held.phase is Phase.IMPORTING and held.cursor not in {b"", COPIED}
            case Step.COPIED:
                return held.phase is Phase.IMPORTING and held.cursor == COPIED
            case Step.ACTIVATING:
                return held.phase is Phase.IMPORTING and _proposes(seat, MoveActivate)
            case Step.ACTIVATED:
                return held.phase is Phase.SERVING
            case _:
                return False


def _proposes(seat: Seat, kind: type[Order]) -> bool:
    consensus = seat.replica.consensus
    return seat.replica.leads and any(
        isinstance(command, kind)
        for entry in log_of(seat.replica, consensus.commit_index, consensus.last_index)
        if entry.kind is EntryKind.COMMANDS
        for command in decode(entry.payload).commands
    )
