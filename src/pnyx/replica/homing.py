"""Leaders go back to where they belong: the first member of a group's placement.

Placements begin at different nodes, so leaders are spread; after a node was away, somebody else
leads its groups, and would for ever. So whoever leads hands over to the first member once that is
back: linked for a while, caught up to the last entry, its disk not full. Leadership that somebody
handed over on purpose stays, until the first member's link comes up anew: an operator who empties
a node must not see it filled again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pnyx.consensus.membership import Membership
from pnyx.ids import GroupId, NodeId
from pnyx.machine.configuration import Placement
from pnyx.replica.effects import NEVER
from pnyx.replica.replica import Replica

HEALTHY_MS: Final = 3_000
"""So long the first member's link is up, and leadership stands here, before it is handed over."""
AGAIN_MS: Final = 10_000
"""After this another attempt is made, if one had no effect."""
AT_ONCE_MAX: Final = 4
"""Hand-overs begun in one look: each stops a group's writes for a round trip or two."""
LOW_SPACE_MS: Final = 10_000
"""A member that said that its disk is nearly full gets nothing for so long."""


@dataclass(slots=True)
class Homing:
    """One node's, for all groups that lead here."""

    me: NodeId
    _up: dict[NodeId, int] = field(default_factory=dict)
    """Since when the link to a node is up."""
    _low: dict[NodeId, int] = field(default_factory=dict)
    """When a node said last that its disk is nearly full."""
    _handed: dict[GroupId, int] = field(default_factory=dict)
    """When leadership of a group was handed to this node on purpose."""
    _since: dict[GroupId, int] = field(default_factory=dict)
    """Since when a group was seen to lead here, or when a hand-over was tried last."""

    def met(self, node: NodeId, now_ms: int) -> None:
        """A link to `node` is up."""
        self._up[node] = now_ms

    def lost(self, node: NodeId) -> None:
        """A link to `node` broke."""
        self._up.pop(node, None)

    def handed(self, group: GroupId, now_ms: int) -> None:
        """A leader of `group` wants this node to lead."""
        self._handed[group] = now_ms

    def space_low(self, node: NodeId, now_ms: int) -> None:
        """`node` says that its disk is nearly full."""
        self._low[node] = now_ms

    def due(
        self,
        replicas: Mapping[GroupId, Replica],
        placements: Mapping[GroupId, Placement],
        now_ms: int,
    ) -> list[tuple[GroupId, NodeId]]:
        """Return which groups' leadership is to be handed to whom now."""
        found: list[tuple[GroupId, NodeId]] = []
        for group, placement in placements.items():
            replica = replicas.get(group)
            if replica is None or not replica.leads:
                if self._since.pop(group, None) is not None:
                    self._handed.pop(group, None)
                continue
            since_ms = self._since.setdefault(group, now_ms)
            home = _home(placement, replica.consensus.membership)
            is_time = now_ms - since_ms >= HEALTHY_MS and len(found) < AT_ONCE_MAX
            if home is not None and is_time and self._fits(group, replica, home, now_ms):
                self._since[group] = now_ms + AGAIN_MS - HEALTHY_MS
                found.append((group, home))
        return found

    def _fits(self, group: GroupId, replica: Replica, home: NodeId, now_ms: int) -> bool:
        up_ms = self._up.get(home, NEVER)
        match = replica.consensus.match_indexes().get(home, -1)
        return (
            home != self.me
            and now_ms - up_ms >= HEALTHY_MS
            and up_ms > self._handed.get(group, -1)
            and now_ms - self._low.get(home, -LOW_SPACE_MS) >= LOW_SPACE_MS
            and match >= replica.consensus.commit_index
        )


def _home(placement: Placement, membership: Membership) -> NodeId | None:
    """Return who is to lead: the first of the placement whose label a voter holds."""
    names = dict(membership.names)
    held = [names.get(member.label) for member in placement.members]
    return next((node for node in held if node in membership.voters), None)
