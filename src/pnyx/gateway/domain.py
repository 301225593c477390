"""What the whole store is to one client, and whom to ask for each shard of it.

On the gateway port it is all there is. On the cluster port it is what this process leads, for
clients ask each master and put together what they hear; a process that leads nothing answers for
the master whose replica it is.
"""

from collections.abc import Iterable

from pnyx.gateway.roles import master_of, slots_of
from pnyx.gateway.store import Store
from pnyx.ids import GroupId
from pnyx.machine.commands import Ranges
from pnyx.machine.configuration import NOBODY
from pnyx.machine.shards import first_slot, shard_of_slot


class Domain:
    """A client's, on one port."""

    def __init__(self, store: Store, *, speaks_cluster: bool) -> None:
        self._store = store
        self._speaks_cluster = speaks_cluster

    def owners(self) -> list[GroupId | None]:
        """Return by shard whom to ask now, `NOBODY` if it must wait; None: not in this domain."""
        topology = self._store.topology()
        # Of what is not known yet somebody is asked all the same, and the answer waits: to leave it
        # out would make one that only looks whole.
        count = max(len(topology.owners), 1)
        now = [self._store.group_of_slot(first_slot(shard, count)) for shard in range(count)]
        if not self._speaks_cluster or not topology.owners:
            return [*now]
        master = master_of(topology, topology.me)
        if master is None:
            return [NOBODY] * count
        groups = {group.group for group in master.groups}
        return [
            (group if group in {NOBODY, *groups} else None) if owner in groups else None
            for owner, group in zip(topology.owners, now, strict=True)
        ]

    def group_of(self, slot: int) -> GroupId:
        """Return who serves the slot of a key, in whatever domain."""
        return self._store.group_of_slot(slot)

    def ranges(self) -> Ranges:
        """Return all slots of the domain."""
        owners = self.owners()
        return slots_of({owner for owner in owners if owner is not None}, owners)

    def anyone(self) -> GroupId:
        """Return a group to ask what all know: one that is led here, else one with a leader."""
        groups = self._store.topology().groups
        ranked = sorted(
            groups,
            key=lambda one: (not self._store.leads(one.group), not one.quorum, one.group),
        )
        return ranked[0].group if ranked else NOBODY


def ranges_over(shards: Iterable[int], count: int) -> Ranges:
    """Return the slots of these shards, ascending, when the slots are cut into `count`."""
    chosen = set(shards)
    return slots_of({NOBODY}, [NOBODY if shard in chosen else None for shard in range(count)])


def shards_of(ranges: Ranges, count: int) -> list[int]:
    """Return the shards of all slots in `ranges` when the slots are cut into `count`."""
    return [
        shard
        for first, last in ranges
        for shard in range(shard_of_slot(first, count), shard_of_slot(last, count) + 1)
    ]
