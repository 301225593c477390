"""How much may happen in an exploration: the budgets make it finite, the bounds make it end."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from pnyx.errors import SettingsWrong

NODES_MAX: Final = 5
BUDGET_MAX: Final = 9
STATES_MAX: Final = 2_000_000
"""About 330 bytes each; more than this is a campaign's business."""


class Cost(IntEnum):
    """What a step uses up; deliveries, writes and restarts are free."""

    COMMAND = 0
    TIMEOUT = 1
    HEARTBEAT = 2
    CRASH = 3
    LOSS = 4
    DUPLICATION = 5
    REORDERING = 6

    @property
    def plural(self) -> str:
        """The budget's name, as in `Scope`."""
        return {Cost.COMMAND: "commands", Cost.CRASH: "crashes", Cost.LOSS: "losses"}.get(
            self, f"{self.name.lower()}s"
        )


@dataclass(frozen=True, slots=True)
class Scope:
    """What an exploration covers.

    Raises:
        SettingsWrong: a number is not in its range.
    """

    nodes: int = 3
    """1 to 5, all voters."""
    commands: int = 2
    """Proposed in order, each once, to whoever leads."""
    timeouts: int = 1
    """Election timers that fire anywhere (and leaders that lose their quorum)."""
    heartbeats: int = 0
    """Heartbeat timers that fire, and candidates that ask again."""
    crashes: int = 0
    """Each may be followed by a restart."""
    losses: int = 0
    """A message that is never delivered needs none of these; a lost one can come no more."""
    duplications: int = 0
    """Deliveries after which the message is still under way."""
    reorderings: int | None = 0
    """Deliveries that overtake an older message of their lane; None: links keep no order."""
    depth_max: int = 200
    """Steps of the longest path."""
    states_max: int = 1_000_000
    """Whole states kept in memory."""

    logs: tuple[tuple[int, ...], ...] = ()
    """What is on the disks at the start: the terms of each member's entries. Empty: nothing."""
    committed: int = 0
    """How many entries of `logs` are committed at the start, in their last term at the latest."""

    def __post_init__(self) -> None:
        """Refuse what cannot be explored."""
        self._require("nodes", 1, NODES_MAX)
        self._require("depth_max", 1, 10_000)
        self._require("states_max", 1, STATES_MAX)
        for cost in Cost:
            if getattr(self, cost.plural) is None:
                continue
            self._require(cost.plural, 0, BUDGET_MAX)
        if self.logs and len(self.logs) != self.nodes:
            raise SettingsWrong(
                "the logs cannot be used; nothing was started",
                cause=f"there are {len(self.logs)} logs for {self.nodes} nodes",
                next_step="give one for each node; an empty one is ()",
            )
        on_majority = sorted(map(len, self.logs))[(self.nodes - 1) // 2] if self.logs else 0
        self._require("committed", 0, on_majority)

    def budget(self) -> tuple[int, ...]:
        """Return what may be used up, in the order of `Cost`."""
        return tuple((getattr(self, cost.plural) or 0) for cost in Cost)

    def _require(self, name: str, least: int, most: int) -> None:
        value = getattr(self, name)
        if not least <= value <= most:
            raise SettingsWrong(
                f"{name} = {value} cannot be explored; nothing was started",
                cause=f"{name} must be from {least} to {most}",
                next_step="choose a smaller scope, or run a campaign for a bigger world",
            )
