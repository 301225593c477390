"""Who is short of disk space, and what follows: writes are refused before a disk is full.

A node that is low says so once a second while it lasts; a leader forgets a report after three, so
writes come back by themselves. Reads and heartbeats go on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pnyx.ids import NodeId
from pnyx.replica.effects import NEVER

REPORT_MS = 1_000
"""How often a node that is low reports it; a report counts three times as long."""


@dataclass(slots=True)
class DiskSpace:
    """One replica's view of its group's disks."""

    me: NodeId
    low_here: bool = False
    _low_until_ms: dict[NodeId, int] = field(default_factory=dict)
    _report_ms: int = 0

    def reported(self, node: NodeId, now_ms: int) -> None:
        """`node` is low."""
        self._low_until_ms[node] = now_ms + 3 * REPORT_MS

    def follows_another(self) -> None:
        """Another leader is to be told, at once, that this node is low.

        Else two leaders that are low would hand over to each other again and again, each before
        it heard of the other, and one that has room would take writes for a second.
        """
        self._report_ms = 0

    def low(self, voters: Sequence[NodeId], now_ms: int) -> int:
        """Return how many of `voters` are low."""
        return sum(
            self.low_here if node == self.me else self._low_until_ms.get(node, 0) > now_ms
            for node in voters
        )

    def refuses_writes(self, voters: Sequence[NodeId], now_ms: int) -> bool:
        """Must a leader here refuse writes? If it is low itself, or no quorum has room."""
        if self.low_here or not self._low_until_ms:
            return self.low_here
        return self.low(voters, now_ms) > (len(voters) - 1) // 2

    def report_due(self, now_ms: int) -> bool:
        """Is it time to say that this node is low?"""
        if not self.low_here or now_ms < self._report_ms:
            return False
        self._report_ms = now_ms + REPORT_MS
        return True

    @property
    def deadline_ms(self) -> int:
        """When the next report is due."""
        return self._report_ms if self.low_here else NEVER
