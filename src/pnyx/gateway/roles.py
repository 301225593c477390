"""Who is a master of which slots, and whose replica everybody else is: one role a process.

A process leads some groups and follows others, but Redis Cluster's clients keep one role for an
address. So who leads a group with shards is a master, of all slots that it leads, and nothing else;
who leads none is a replica of one leader that it follows, so that its address is known for the day
when that leader is gone.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from pnyx.ids import GroupId, NodeId
from pnyx.machine.shards import first_slot
from pnyx.node.status import GroupStatus, Member, Topology


@dataclass(frozen=True, slots=True)
class Master:
    """A process that leads groups with shards."""

    member: Member
    groups: tuple[GroupStatus, ...]
    """Ascending, never empty."""
    slots: tuple[tuple[int, int], ...]
    """First and last of each run, ascending."""
    replicas: tuple[Member, ...]
    """By label; they lead nothing."""

    @property
    def epoch(self) -> int:
        """The newest term of its groups."""
        return max(group.term for group in self.groups)

    @property
    def name(self) -> bytes:
        """The shard's name in Redis' sense: that of a master and its replicas."""
        return b"%040x" % self.groups[0].group

    @property
    def slot_count(self) -> int:
        """How many slots it leads."""
        return sum(last - first + 1 for first, last in self.slots)


def masters(topology: Topology) -> list[Master]:
    """Return the masters in the order of their lowest groups.

    During an election the last known leader stays one, for clients need all 16384 slots.
    """
    owning = set(topology.owners)
    led: dict[NodeId, list[GroupStatus]] = {}
    for group in topology.groups:
        if group.group in owning and group.leader is not None:
            led.setdefault(group.leader, []).append(group)
    followers: dict[NodeId, list[Member]] = {node: [] for node in led}
    for member in topology.placed:
        if member.node not in led:
            leader = next(_leaders_of(member.node, topology, led), None)
            if leader is not None:
                followers[leader].append(member)
    found = []
    for node, groups in led.items():
        place = topology.member(node)
        if place is not None:
            slots = slots_of({group.group for group in groups}, topology.owners)
            found.append(Master(place, tuple(groups), slots, tuple(followers[node])))
    return found


def _leaders_of(
    node: NodeId, topology: Topology, led: dict[NodeId, list[GroupStatus]]
) -> Iterator[NodeId]:
    for group in topology.groups:
        if group.leader in led and group.has(node):
            assert group.leader is not None, "None leads nothing"
            yield group.leader


def slots_of(
    groups: Collection[GroupId], owners: Sequence[GroupId | None]
) -> tuple[tuple[int, int], ...]:
    """Return first and last slot of each run of shards that `groups` serve."""
    runs: list[tuple[int, int]] = []
    for shard, owner in enumerate(owners):
        if owner not in groups:
            continue
        first, last = first_slot(shard, len(owners)), first_slot(shard + 1, len(owners)) - 1
        if runs and runs[-1][1] == first - 1:
            runs[-1] = (runs[-1][0], last)
        else:
            runs.append((first, last))
    return tuple(runs)


def master_of(topology: Topology, node: NodeId) -> Master | None:
    """Return the master that `node` is, or whose replica it is; None if it is neither."""
    for master in masters(topology):
        if node == master.member.node or any(one.node == node for one in master.replicas):
            return master
    return None


def followers_of(topology: Topology) -> list[Member]:
    """Return whoever follows this process in a group that it leads, and can be reached."""
    led = topology.led_by(topology.me)
    return [
        member
        for member in topology.placed
        if member.node != topology.me
        and member.reachable
        and any(group.has(member.node) for group in led)
    ]
