"""The first configuration of a new cluster: its shards, its first groups, and where they live.

The controller's leader makes it, once it knows from the log itself that there is none. Both
directives stand in one entry, so nobody ever sees a cluster that is founded by half.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pnyx.consensus.engines import EngineName
from pnyx.consensus.membership import Membership
from pnyx.ids import GroupId
from pnyx.machine.configuration import Member, Placement
from pnyx.machine.directives import AnyDirective, Found, Join

REPLICAS_MAX: Final = 5
"""Of a group that the founding places: more make writes slower and few clusters safer."""


@dataclass(frozen=True, slots=True)
class Founding:
    """What a new cluster begins with."""

    shards: int
    groups: int
    """1 or more."""
    nodes: tuple[Member, ...]
    """All of the cluster's, sorted by label."""
    engine: EngineName

    def directives(self) -> tuple[AnyDirective, ...]:
        """Return what the controller's first entry says."""
        groups = range(1, self.groups + 1)
        placements = tuple([self._placement(GroupId(group)) for group in groups])
        return (Found(self.shards), Join(placements, shared=True))

    def _placement(self, group: GroupId) -> Placement:
        """Return a group's part; each one begins at another node, which is to lead it."""
        count = len(self.nodes)
        first = (group - 1) % count
        rotated = (*self.nodes[first:], *self.nodes[:first])
        return Placement(group, rotated[:REPLICAS_MAX], self.engine)


@dataclass(frozen=True, slots=True)
class Missing:
    """A group that is to have a replica here and has none."""

    group: GroupId
    membership: Membership
    """The one that the group was founded with."""
    engine: EngineName
    shards: int
    """Into how many the slots are cut."""
    campaigns: bool
    """Is this the node that is to lead it first? Then nobody need wait for a timeout."""


def membership_of(members: Sequence[Member]) -> Membership:
    """Return the first membership of a group that joins with these: all vote."""
    voters = tuple(sorted(member.node for member in members))
    names = tuple(sorted((member.label, member.node) for member in members))
    return Membership(voters, names=names)
