"""Where new groups go if nobody says it: on the nodes that have least, and lead least."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from pnyx.admin.controller import ControllerRefused, Placed
from pnyx.admin.health import Asked

REPLICAS_MAX: Final = 5
"""More make writes slower and few clusters safer."""


def up_and_down(asked: Iterable[Asked]) -> tuple[list[str], list[str]]:
    """Return the labels of the nodes that answer, and of voters that do not, sorted."""
    reports = [one.report for one in asked if one.report is not None]
    up = {report.label for report in reports}
    # Whose address nobody knows cannot be founded with.
    voters = {
        member.label
        for report in reports
        for member in report.members
        if member.label and member.host and member.voter
    }
    return sorted(up), sorted(voters - up)


def placements(
    groups: Sequence[int],
    there: Iterable[Placed],
    nodes: Sequence[str],
    down: Sequence[str] = (),
) -> dict[int, tuple[str, ...]]:
    """Return the nodes of each new group, the one that is to lead it first.

    Args:
        groups: the new groups' numbers.
        there: the groups that there are.
        nodes: the labels of those that can be used; at least one.
        down: of members that do not answer now. One is chosen only where the group would have fewer
            replicas without it, and never to lead: it founds its replica when it is back, with the
            same members as the others, and until then it is a voter that is down.

    Raises:
        ControllerRefused: a group would begin without a majority.
    """
    width = _width(len(nodes) + len(down))
    if 2 * min(width, len(nodes)) <= width:
        raise ControllerRefused(
            "could not join; nothing was changed",
            cause=f"a group would be on {width} nodes, and only {', '.join(nodes)} answer",
            next_step=f"start {', '.join(down)} again, or choose the nodes with --nodes",
        )
    replicas = Counter(label for placed in there for label in placed.nodes)
    leads = Counter(placed.nodes[0] for placed in there)
    found: dict[int, tuple[str, ...]] = {}
    for group in groups:
        fewest = sorted(nodes, key=lambda label: (replicas[label], leads[label], label))
        chosen = sorted(fewest[:width], key=lambda label: (leads[label], label))
        first = nodes.index(chosen[0])
        order = [*nodes[first:], *nodes[:first]]
        absent = sorted(down, key=lambda label: (replicas[label], label))[: width - len(chosen)]
        found[group] = (*sorted(chosen, key=order.index), *absent)
        replicas.update(found[group])
        leads[chosen[0]] += 1
    return found


def _width(nodes: int) -> int:
    # An even number more than two needs a larger majority and survives no more losses.
    return nodes if nodes < 3 else min(REPLICAS_MAX, nodes - 1 + nodes % 2)
