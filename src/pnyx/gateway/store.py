"""What the gateway asks of the node below it: the whole of the arrow between the two floors."""

from typing import Protocol

from pnyx.ids import GroupId
from pnyx.node.settings import Settings
from pnyx.node.status import LogPosition, Topology
from pnyx.replica.requests import Request


class Store(Protocol):
    """The node, as the gateway knows it."""

    @property
    def settings(self) -> Settings: ...

    @property
    def boot(self) -> int:
        """A random number of this start (INFO run_id)."""
        ...

    def submit(self, group: GroupId, request: Request) -> None:
        """Hand over a request for a group, wherever its replicas are.

        `request.ticket.answered(answer)` follows, within seconds, exactly once, on the loop and
        never from inside `submit`.
        """
        ...

    def group_of_slot(self, slot: int) -> GroupId:
        """Return who serves the slot now; 0: nobody, as far as is known here.

        On the path of each command, so no more than a look into a table.
        """
        ...

    def leads(self, group: GroupId) -> bool:
        """Does this node lead the group right now? On the path of each command."""
        ...

    def topology(self) -> Topology: ...

    def position(self, group: GroupId) -> LogPosition:
        """Return where this node's replica of the group is; all 0 without one."""
        ...

    def clock_ms(self) -> int:
        """This node's wall clock, ms since 1970."""
        ...

    def disk_bytes(self) -> int: ...
