"""A transaction under way: what it saw, what it wants done, and whether that is one thing.

It holds no connection. What it watches is a revision that it read (`PNYX.GETV`), and EXEC carries
the revisions along, so it may be sent again anywhere and is done once.
"""

from typing import Any, Final

import hiredis

from pnyx.client.command import Command, Exec
from pnyx.client.commands import cross_slot
from pnyx.client.errors import Refused, WatchError
from pnyx.client.pipeline import Queue
from pnyx.client.wire import Value, raw_of
from pnyx.machine.slots import slot_of

WATCHED_MAX: Final = 4096
"""Keys; a node lets a connection watch no more, and would not look at the others."""


class Plan(Queue):
    """The commands to be done at once, each queued by the method of its name."""

    def __init__(self) -> None:
        super().__init__()
        self.is_open = True
        """Are commands queued, and not carried out at once?"""
        self.watched: dict[bytes, int] = {}
        """Key -> revision that was seen; 0: no such key."""

    def multi(self) -> None:
        """Queue from now on."""
        self.is_open = True

    def saw(self, key: Value, revision: int) -> None:
        """Let the transaction fail if `key` is at another revision then; the first look counts.

        Commands are carried out at once from now on, until `multi`.

        Raises:
            Refused: that are too many keys.
        """
        self.is_open = False
        self.watched.setdefault(raw_of(key), revision)
        if len(self.watched) > WATCHED_MAX:
            raise Refused(f"a transaction watches at most {WATCHED_MAX} keys; nothing was done")

    def exec(self) -> Command:
        """Return everything as one command.

        Raises:
            CrossSlot: the keys do not share a slot. Nothing was sent.
        """
        slots = {command.slot for command in self.commands if command.slot is not None}
        slots |= {slot_of(key) for key in self.watched}
        if len(slots) > 1:
            raise cross_slot("a transaction")
        return Exec(self.commands, self.watched, next(iter(slots), None))

    def results(self, reply: list[Any] | None) -> list[Any]:
        """Return the results of the queued commands out of EXEC's reply.

        Raises:
            WatchError: a watched key changed. Nothing was done.
            Refused: a command was wrong for the value that is there; the others were done.
        """
        if reply is None:
            raise WatchError(
                "a watched key changed; nothing was done", next_step="read again, and try again"
            )
        for one in reply:
            if isinstance(one, hiredis.ReplyError):
                raise Refused(str(one))
        shapes = [command.shape for command in self.commands]
        return [
            one if shape is None else shape(one) for one, shape in zip(reply, shapes, strict=True)
        ]
