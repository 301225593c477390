"""The one replica of a world that has no controller, turned the way a node's roster is."""

from collections.abc import Callable, Sequence
from typing import Any

from pnyx.ids import GroupId, NodeId
from pnyx.replica.effects import NEVER, Effects, Now
from pnyx.replica.founding import Missing
from pnyx.replica.replica import Replica
from pnyx.replica.requests import Request


class Alone:
    """Offers what replica/roster.py: Roster offers a process, for a group that is always there."""

    def __init__(self, now: Callable[[], Now]) -> None:
        self.replicas: dict[GroupId, Replica] = {}
        self._now = now
        self._replica: Replica | None = None
        self._group = GroupId(0)
        self._is_done = False
        """Did the last effects say that there is nothing more?"""

    def add(self, group: GroupId, replica: Replica, _now: Now) -> None:
        """Take in the replica, once."""
        assert self._replica is None, "there is one"
        self.replicas[group] = self._replica = replica
        self._group = group

    # What the outside says.

    def submit(self, _group: GroupId, requests: Sequence[Request], now: Now) -> None:
        """Take in requests of clients."""
        assert self._replica is not None, "a request waits for the replica"
        self._replica.submit(requests, now)

    def heard(self, sender: NodeId, wall_ms: int) -> None:
        """A parcel came."""
        if self._replica is not None:
            self._replica.heard(sender, wall_ms, self._now())

    def step(self, _group: GroupId, sender: NodeId, message: Any, now: Now) -> None:
        """A message came."""
        if self._replica is not None:
            self._replica.step(sender, message, now)

    def met(self, node: NodeId, _now: Now) -> None:
        """A link is up."""
        if self._replica is not None:
            self._replica.met(node)

    def link_lost(self, node: NodeId) -> None:
        """A link broke."""
        if self._replica is not None:
            self._replica.link_lost(node)

    def unsent(self, _group: GroupId, to: NodeId, message: Any) -> None:
        """A message did not leave."""
        if self._replica is not None:
            self._replica.unsent(to, message)

    def persisted(self, _group: GroupId, write_id: int, now: Now) -> None:
        """A write is durable."""
        if self._replica is not None:
            self._replica.persisted(write_id, now)

    def flushed(self, _group: GroupId, number: int, now: Now) -> None:
        """A flush is durable."""
        if self._replica is not None:
            self._replica.flushed(number, now)

    def tick(self, now: Now) -> None:
        """Time has passed."""
        if self._replica is not None:
            self._replica.tick(now)

    def tend_disk(self, *, low: bool, behind: bool, urgent: Sequence[GroupId]) -> None:
        """Say how the disk is."""
        assert not behind, "a space in memory keeps up"
        if self._replica is not None:
            self._replica.tend_disk(low=low, behind=behind, urgent=low or bool(urgent))

    def touched(self, _group: GroupId) -> None:
        """Somebody called the replica itself; it is looked at in each turn anyway."""

    def stop(self) -> None:
        """The process stops in order."""
        if self._replica is not None:
            self._replica.stop()

    # What the outside takes.

    @property
    def deadline_ms(self) -> int:
        """When `tick` is wanted next."""
        return NEVER if self._replica is None else self._replica.deadline_ms

    def effects(self, now: Now) -> list[tuple[GroupId, Effects]]:
        """Return the replica's turn, until it has nothing more for this one."""
        if self._replica is None or self._is_done:
            self._is_done = False
            return []
        effects = self._replica.effects(now)
        if effects is None:
            return []
        self._is_done = not effects.more
        return [(self._group, effects)]

    def missing(self) -> list[Missing]:
        """Nobody lets a group join."""
        return []

    def doomed(self) -> list[GroupId]:
        """Nobody retires one."""
        return []
