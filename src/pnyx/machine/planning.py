"""What configuration a change leads to, or why it is refused: the rules, without any effect.

A dry run and the change itself ask the same function.
"""

from collections.abc import Iterable, Sequence
from itertools import chain

from pnyx.ids import GroupId
from pnyx.machine.configuration import (
    GROUP_MAX,
    GROUPS_MAX,
    MEMBERS_MAX,
    NAME_BYTES_MAX,
    NOBODY,
    Configuration,
    Directory,
    Placement,
)
from pnyx.machine.directives import Change, Join, Leave, Move
from pnyx.machine.rebalance import rebalanced
from pnyx.machine.results import Refusal


def planned(before: Configuration, directory: Directory, change: Change) -> Configuration | Refusal:
    """Return the configuration after `change`; `before` itself if it has no effect."""
    match change:
        case Join():
            why = _why_not_join(before, directory, change)
            return Refusal(why) if why else _joined(before, change.placements)
        case Leave():
            why = _why_not_leave(before, directory, change.groups)
            return Refusal(why) if why else _left(before, change.groups)
        case Move():
            why = _why_not_move(before, change)
            return Refusal(why) if why else _moved(before, change)


def _joined(before: Configuration, placements: Sequence[Placement]) -> Configuration:
    return _balanced(before, [*before.placements, *placements])


def _left(before: Configuration, groups: Sequence[GroupId]) -> Configuration:
    return _balanced(before, [each for each in before.placements if each.group not in groups])


def _balanced(before: Configuration, placements: Iterable[Placement]) -> Configuration:
    ordered = tuple(sorted(placements, key=lambda placement: placement.group))
    targets = rebalanced(before.targets, [placement.group for placement in ordered])
    return Configuration(before.number + 1, targets, ordered)


def _moved(before: Configuration, move: Move) -> Configuration:
    if before.targets[move.shard] == move.group:
        return before
    targets = list(before.targets)
    targets[move.shard] = move.group
    return Configuration(before.number + 1, tuple(targets), before.placements)


# Refusals: a sentence, empty if there is nothing against it.


def _why_not_join(before: Configuration, directory: Directory, join: Join) -> str:
    if not join.placements:
        return "ERR nobody joined: no group was named"
    if len(before.placements) + len(join.placements) > GROUPS_MAX:
        return f"ERR nobody joined: a cluster has at most {GROUPS_MAX} groups"
    known = set(before.groups)
    leaving = {placement.group for placement in directory.leaving}
    for placement in join.placements:
        group = placement.group
        if group in leaving:
            return f"MOVING nobody joined: group g{group} is still leaving; join it after that"
        if group in known:
            return f"ERR nobody joined: there is a group g{group} already, or it was named twice"
        known.add(group)
        is_retired = group in directory.retired
        wrong = f"group g{group} was retired" if is_retired else _why_no_group(placement)
        if wrong:
            return f"ERR nobody joined: {wrong}"
    return "" if join.shared else _why_not_apart(before, directory, join.placements)


def _why_no_group(placement: Placement) -> str:
    group, members = placement.group, placement.members
    if not NOBODY < group <= GROUP_MAX:
        return f"a group's number is 1 to {GROUP_MAX}, not {group}"
    if not 1 <= len(members) <= MEMBERS_MAX:
        return f"group g{group} has {len(members)} nodes; 1 to {MEMBERS_MAX} can be"
    labels = [member.label for member in members]
    nodes = {member.node for member in members}
    if len(set(labels)) < len(labels) or len(nodes) < len(labels):
        return f"group g{group} names a node twice: {', '.join(labels)}"
    if min(nodes) <= 0:
        return f"group g{group} has a node without an id: {', '.join(labels)}"
    for text in chain.from_iterable((member.label, member.address) for member in members):
        if not 1 <= len(text.encode()) <= NAME_BYTES_MAX:
            return f"labels and addresses have 1 to {NAME_BYTES_MAX} bytes: {text[:40]!r}"
    return ""


def _why_not_apart(
    before: Configuration, directory: Directory, joining: Sequence[Placement]
) -> str:
    homes: dict[str, GroupId] = {}
    for placement in (*before.placements, *directory.leaving):
        for member in placement.members:
            homes.setdefault(member.label, placement.group)
    # Nodes that share already, because that was said of them, are no concern of this join.
    for placement in joining:
        for member in placement.members:
            other = homes.setdefault(member.label, placement.group)
            if other != placement.group:
                return (
                    f"ERR nobody joined: node {member.label} would be in groups g{other} and "
                    f"g{placement.group}; say so if they are to share it"
                )
    return ""


def _why_not_leave(before: Configuration, directory: Directory, groups: Sequence[GroupId]) -> str:
    if not groups:
        return "ERR nobody left: no group was named"
    known = set(before.groups)
    for group in groups:
        if group not in known:
            return f"ERR nobody left: there is no group g{group}, or it was named twice"
        known.remove(group)
    for shard, serving in directory.undecided():
        for group in (serving.group, serving.destination):
            if group in groups:
                return (
                    f"MOVING nobody left: shard {shard} is on its way from group g{serving.group} "
                    f"to g{serving.destination}; wait for the end of it, then let g{group} leave"
                )
    held = sum(serving.group != NOBODY for serving in directory.shards)
    if not known and held:
        return (
            f"ERR nobody left: {held} shards would be served by no group; give up what they hold "
            "first, or let another group join"
        )
    return ""


def _why_not_move(before: Configuration, move: Move) -> str:
    count = len(before.targets)
    if not 0 <= move.shard < count:
        return f"ERR nothing was moved: there is no shard {move.shard}; they are 0 to {count - 1}"
    if move.group not in before.groups:
        return f"ERR nothing was moved: there is no group g{move.group}"
    return ""


def why_not_retire(newest: Configuration, directory: Directory, group: GroupId) -> str:
    """Return why a group cannot be retired, in a sentence; empty if nothing is against it."""
    if group in newest.groups:
        return f"ERR nothing was retired: group g{group} has shards or may get some; let it leave"
    if group in {placement.group for placement in directory.leaving}:
        return f"MOVING nothing was retired: group g{group} is still leaving; retire it after that"
    if group not in directory.departed and group not in directory.retired:
        return f"ERR nothing was retired: no group g{group} has left this cluster"
    return ""
