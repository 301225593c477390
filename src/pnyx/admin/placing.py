"""Where new groups go if nobody says it: on the nodes that have least, and lead least."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from pnyx.admin.controller import Placed

REPLICAS_MAX: Final = 5
"""More make writes slower and few clusters safer."""


def placements(
    groups: Sequence[int], there: Iterable[Placed], nodes: Sequence[str]
) -> dict[int, tuple[str, ...]]:
    """Return the nodes of each new group, the one that is to lead it first.

    Args:
        groups: the new groups' numbers.
        there: the groups that there are.
        nodes: the labels of those that can be used; at least one.
    """
    replicas = Counter(label for placed in there for label in placed.nodes)
    leads = Counter(placed.nodes[0] for placed in there)
    found: dict[int, tuple[str, ...]] = {}
    for group in groups:
        fewest = sorted(nodes, key=lambda label: (replicas[label], leads[label], label))
        chosen = sorted(fewest[: _width(len(nodes))], key=lambda label: (leads[label], label))
        first = nodes.index(chosen[0])
        order = [*nodes[first:], *nodes[:first]]
        found[group] = tuple(sorted(chosen, key=order.index))
        replicas.update(chosen)
        leads[chosen[0]] += 1
    return found


def _width(nodes: int) -> int:
    # An even number more than two needs a larger majority and survives no more losses.
    return nodes if nodes < 3 else min(REPLICAS_MAX, nodes - 1 + nodes % 2)
