"""What sessions promise, remembered for ever: a write is done once, and answered the same again.

The machine may forget, and must then refuse (machine/sessions.py); this judge knows every write
that was ever done. Written apart from the machine: a command comes as the log has it, with the
log's time.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from pnyx.machine.commands import Sequenced
from pnyx.machine.once import ACKNOWLEDGED, DEADLINE_PASSED, DEADLINE_TOO_FAR
from pnyx.machine.results import Result
from pnyx.machine.sessions import DEADLINE_AHEAD_MS_MAX
from pnyx.machine.shards import SHARDS_DEFAULT, shard_of_slot

_Name: TypeAlias = tuple[int, bytes, int]
"""Shard, session, sequence."""


@dataclass(slots=True)
class Remembered:
    """All writes of all sessions."""

    done: dict[_Name, Result] = field(default_factory=dict)
    """By their answers."""
    _acks: dict[tuple[int, bytes], int] = field(default_factory=dict)

    def once(self, command: Sequenced, clock_ms: int, do: Callable[[], Result]) -> Result:
        """Return what a write must be answered where it stands; `do` it if it is to be done."""
        shard = shard_of_slot(command.slot, SHARDS_DEFAULT)
        name = (shard, command.session, command.sequence)
        ack = self._acks.get((shard, command.session), 0)
        if command.deadline_ms <= clock_ms:
            return DEADLINE_PASSED
        if name in self.done and command.sequence > ack:
            return self.done[name]
        ack = max(ack, command.ack)
        if command.sequence <= ack:
            return ACKNOWLEDGED
        if command.deadline_ms - clock_ms > DEADLINE_AHEAD_MS_MAX:
            return DEADLINE_TOO_FAR
        result = self.done[name] = do()
        self._acks[shard, command.session] = ack
        return result
