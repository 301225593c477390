"""One life of one replica in a simulated process: what judges look at.

A process has one for each group that it has a replica of; they share its disk, links and clocks.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pnyx.ids import GroupId, NodeId
from pnyx.replica.effects import Outbound
from pnyx.replica.replica import Replica

if TYPE_CHECKING:
    from pnyx.lab.process import Process


@dataclass(slots=True, eq=False)
class Seat:
    """A replica where it lives. Another life of it is another seat."""

    process: "Process"
    group: GroupId
    replica: Replica
    number: int
    """Of the process."""
    label: str
    """Of the process."""
    node: NodeId
    life: int
    """Which one of the process."""
    delayed: deque[tuple[int, Outbound]] = field(default_factory=deque)
    """(write, message): what leaves when that write is durable, in order."""
    durable: int = 0
    """The newest write that is."""
