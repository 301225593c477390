"""What one client's commands come to: those of the store, and the replies that are known."""

from typing import TypeAlias

from pnyx.gateway.rows import Ask, Pause, Row
from pnyx.machine.commands import AnyCommand

Place: TypeAlias = tuple[Row, list[bytes], Ask | None]
"""A command that waits for its result."""


class Run:
    """Commands to answer together, in order."""

    __slots__ = (
        "by_log",
        "commands",
        "drops",
        "is_full",
        "is_last",
        "last_words",
        "muted",
        "pause",
        "plan",
        "stale_role_ok",
    )

    def __init__(self) -> None:
        self.plan: list[bytes | Place] = []
        """Finished replies, and places for results in the order of `commands`."""
        self.commands: list[AnyCommand] = []
        self.by_log = False
        self.stale_role_ok = False
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

    def add(self, place: Place, command: AnyCommand) -> None:
        """Add a command for the machine."""
        self.plan.append(place)
        self.commands.append(command)
        if command.writes:
            self.by_log = True
