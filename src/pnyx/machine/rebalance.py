"""Which group should own which shard: as even as can be, and as few shards moved as can be.

Every replica computes this for itself, so it depends on its arguments alone: ties go by id, and no
order comes from a map.
"""

from collections.abc import Sequence

from pnyx.ids import GroupId
from pnyx.machine.configuration import NOBODY


def rebalanced(targets: Sequence[GroupId], groups: Sequence[GroupId]) -> tuple[GroupId, ...]:
    """Return the new owner of each shard: one of `groups`, or nobody if there are none.

    The loads differ by at most one. What moves is what has no group of these, and what a group has
    above its quota: no fewer moves are possible.
    """
    if not groups:
        return (NOBODY,) * len(targets)
    room = _quotas(targets, groups)
    after: list[GroupId] = []
    for target in targets:
        keeps = room.get(target, 0) > 0
        after.append(target if keeps else NOBODY)
        if keeps:
            room[target] -= 1
    short = iter([group for group in sorted(groups) for _ in range(room[group])])
    return tuple([next(short) if target == NOBODY else target for target in after])


def _quotas(targets: Sequence[GroupId], groups: Sequence[GroupId]) -> dict[GroupId, int]:
    """Return how many shards each group should have.

    The larger quotas go to those that have most: each saves a move there and nowhere else.
    """
    loads = dict.fromkeys(sorted(groups), 0)
    for target in targets:
        if target in loads:
            loads[target] += 1
    least, larger = divmod(len(targets), len(loads))
    by_load = sorted(loads, key=lambda group: (-loads[group], group))
    return {group: least + (place < larger) for place, group in enumerate(by_load)}
