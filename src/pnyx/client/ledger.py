"""The sessions of one client: who of its writes carries which number. No socket, no clock.

A client opens a further session when the windows of those it has are full, up to a limit; beyond it
writers wait. A session whose clock was read too long ago gives out no more numbers; it is replaced.
"""

from collections.abc import Sequence
from typing import Any, Final

from pnyx.client.command import Command
from pnyx.client.errand import Call
from pnyx.client.errors import SessionExpired
from pnyx.transport.numbering import Number, Numbering

SESSIONS_MAX: Final = 32
"""Sessions of one client: with the window, how many of its writes may be under way."""
WINDOW_LEAST: Final = 16
"""What a session is hoped to have room for before it is opened."""
AGE_MS_MAX: Final = 600_000
"""After that the nodes are asked for the time again."""


class _Opening(Command):
    """It is asked for a write, and whoever wrote knows of no session."""

    __slots__ = ()
    name = "the write that wants a session"


OPEN: Final = _Opening(("PNYX.SESSION",), None, writes=False)
"""The command whose reply `opened` wants."""


class Ledger:
    """The numbers of one client. Not for several threads at once: the faces hold a lock."""

    def __init__(self, sessions_max: int = SESSIONS_MAX) -> None:
        self._sessions_max = sessions_max
        self._sessions: dict[bytes, Numbering] = {}
        self._giving: Numbering | None = None
        """Which gave the last number: the next one is its, too, while it has room."""

    def take(self, count: int, now_ms: int, patience_ms: int) -> list[Number]:
        """Return numbers for at most `count` writes; fewer, perhaps none, if windows are full."""
        numbers: list[Number] = []
        while len(numbers) < count and (giving := self._with_room(now_ms)) is not None:
            number = giving.take(now_ms, patience_ms)
            assert number is not None, "a session with room gives a number"
            numbers.append(number)
        return numbers

    def missing(self, count: int, now_ms: int) -> int:
        """Return how many sessions to open, so that `count` writes find room if that can be."""
        giving = self._with_room(now_ms)
        if giving is not None and giving.room >= count:
            return 0
        self._sessions = {
            name: one
            for name, one in self._sessions.items()
            if not one.is_idle or self._is_fresh(one, now_ms)
        }
        room = sum(one.room for one in self._sessions.values() if self._is_fresh(one, now_ms))
        wanted = -(-max(count - room, 0) // WINDOW_LEAST)
        return min(wanted, self._sessions_max - len(self._sessions))

    def is_full(self, now_ms: int) -> bool:
        """Would a write find no room now, nor leave to open a session?"""
        return self._with_room(now_ms) is None and self.missing(1, now_ms) == 0

    def opened(self, reply: Any, now_ms: int) -> None:
        """Add the session that the nodes gave; `now_ms` is from before they were asked."""
        name, clock_ms, ahead_ms_max, window = reply
        session = name.encode() if isinstance(name, str) else name
        self._sessions[session] = Numbering(session, window, ahead_ms_max, clock_ms, now_ms)

    def settle(self, calls: Sequence[Call], numbers: Sequence[Number]) -> None:
        """Take back the numbers of calls that are over, or given up.

        A session whose deadline came too soon gives out no more: the nodes' time is ahead of ours.
        """
        for call in calls:
            if call.number is not None and isinstance(call.error, SessionExpired):
                self._sessions[call.number.session].read_ms -= AGE_MS_MAX + 1
        for number in numbers:
            self._sessions[number.session].settle(number)

    def ack(self, number: Number) -> int:
        """Return what the session of `number` may acknowledge now."""
        return self._sessions[number.session].ack

    def _with_room(self, now_ms: int) -> Numbering | None:
        giving = self._giving
        if giving is not None and giving.room and now_ms - giving.read_ms <= AGE_MS_MAX:
            return giving
        found = (one for one in self._sessions.values() if one.room)
        self._giving = next((one for one in found if self._is_fresh(one, now_ms)), None)
        return self._giving

    @staticmethod
    def _is_fresh(numbering: Numbering, now_ms: int) -> bool:
        return now_ms - numbering.read_ms <= AGE_MS_MAX
