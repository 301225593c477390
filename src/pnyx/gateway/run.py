"""What one client's commands come to: those of the store, and the replies that are known."""

from typing import TypeAlias

from pnyx.gateway.rows import Ask, Pause, Row
from pnyx.ids import GroupId
from pnyx.machine.commands import AnyCommand
from pnyx.machine.configuration import NOBODY

Place: TypeAlias = tuple[Row, list[bytes], Ask | None]
"""A command that waits for its result."""


class Run:
    """Commands to answer together, in order.

    Either each command for the store has keys of one slot, so that whatever group serves it does
    all of the run that belongs to that slot, or there is a single one, which is `alone`: several
    groups may have a part in it.
    """

    __slots__ = (
        "by_log",
        "commands",
        "drops",
        "group",
        "is_alone",
        "is_full",
        "is_last",
        "last_words",
        "muted",
        "pause",
        "plan",
        "stale",
        "stale_role_ok",
    )

    def __init__(self) -> None:
        self.plan: list[bytes | Place] = []
        """Finished replies, and places for results in the order of `commands`."""
        self.commands: list[AnyCommand] = []
        self.group = NOBODY
        """Who serves the slots of all commands, as the run is made; 0: several, or nobody."""
        self.by_log = False
        self.stale_role_ok = False
        self.stale = False
        """Any replica may answer from what it has applied; true of all commands or of none."""
        self.is_alone = False
        self.muted: frozenset[int] | None = None
        """Places in the plan whose reply the client does not want."""
        self.pause: Pause | None = None
        """What follows the plan, later."""
        self.is_last = False
        """Hang up after it."""
        self.drops = False
        """Hang up now, say nothing more."""
        self.is_full = False
        self.last_words: list[bytes] = []
        """Of the last command in it, at most two."""

    def add(self, place: Place, command: AnyCommand, group: GroupId) -> None:
        """Add a command for the machine."""
        self.plan.append(place)
        self.group = group if not self.commands or group == self.group else NOBODY
        self.commands.append(command)
        if command.writes:
            self.by_log = True
