"""What the gateway asks of the node below it: the whole of the arrow between the two floors."""

from typing import Protocol

from pnyx.node.settings import Settings
from pnyx.node.status import LogPosition, Topology
from pnyx.replica.requests import Answer, Request


class Waiter(Protocol):
    """Whoever waits for a request: the `ticket` of each `Request` the gateway submits."""

    def answered(self, answer: Answer) -> None:
        """The one answer. Called on the loop, never from inside `submit`."""
        ...


class Store(Protocol):
    """The node, as the gateway knows it."""

    @property
    def settings(self) -> Settings: ...

    @property
    def boot(self) -> int:
        """A random number of this start (INFO run_id)."""
        ...

    def submit(self, request: Request) -> None:
        """Hand over a request; `request.ticket.answered` follows, within seconds, exactly once."""
        ...

    def topology(self) -> Topology: ...

    def position(self) -> LogPosition: ...

    def clock_ms(self) -> int:
        """This node's wall clock, ms since 1970."""
        ...

    def can_lead_here(self) -> bool:
        """Is this node the leader right now (the fast path of the cluster port)?"""
        ...

    def disk_bytes(self) -> int: ...
