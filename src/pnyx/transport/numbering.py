"""The client's half of a session: numbers, deadlines, and what is acknowledged.

Rule 1: a number belongs to one command for ever. A retry carries the same session, sequence and
deadline; only what it acknowledges may be newer.
Rule 2: acknowledged is what is answered, or given up: that will not be asked for again. So no
number is acknowledged while its command may still be sent.
Rule 3: no sequence is more than the window above what is acknowledged. Who finds it full waits.
Rule 4: deadlines are in the nodes' committed time, which is what they said it was plus what has
passed here since.

No clock and no socket: times are handed in. The client library and the Lab's clients use this code;
the nodes' half is machine/sessions.py.
"""

from dataclasses import dataclass, field
from typing import Final

import msgspec

PATIENCE_MS: Final = 60_000
"""How much later a write's deadline is than the end of its client's patience: clocks differ."""


class Number(msgspec.Struct, frozen=True, gc=False):
    """What makes one write of a session known again."""

    session: bytes
    """32 hex digits."""
    sequence: int
    """From 1."""
    deadline_ms: int
    """Committed time, ms since 1970: from then on it is never done."""


@dataclass(slots=True)
class Numbering:
    """The numbers of one session that were given out."""

    session: bytes
    window: int
    ahead_ms_max: int
    """How far a deadline may lie ahead of the committed clock."""
    clock_ms: int
    """What the nodes said, ms since 1970."""
    read_ms: int
    """When they said it, by a clock of this client that never stands still."""
    ack: int = 0
    """All sequences up to here are settled."""
    room: int = field(init=False)
    """How many numbers could be taken now."""
    _last: int = 0
    _open: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.room = self.window

    @property
    def is_idle(self) -> bool:
        """Is no number out?"""
        return not self._open

    def take(self, now_ms: int, patience_ms: int) -> Number | None:
        """Return the number of a new write, None if the window is full.

        Its client gives up after `patience_ms`, and settles it then at the latest.
        """
        if not self.room:
            return None
        self.room -= 1
        self._last = sequence = self._last + 1
        self._open.add(sequence)
        ahead_ms = min(patience_ms + PATIENCE_MS, self.ahead_ms_max // 2)
        deadline_ms = self.clock_ms + (now_ms - self.read_ms) + ahead_ms
        return Number(self.session, sequence, deadline_ms)

    def settle(self, number: Number) -> None:
        """Note that a write was answered, or that its client will not send it again."""
        assert number.session == self.session, "a number goes back to the session that gave it"
        self._open.remove(number.sequence)
        # Each is passed once, so this costs the same however wide the window is.
        while self.ack < self._last and self.ack + 1 not in self._open:
            self.ack += 1
            self.room += 1
