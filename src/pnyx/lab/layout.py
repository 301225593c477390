"""Where the replicas of a world with many groups live."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pnyx.consensus.engines import EngineName


@dataclass(frozen=True, slots=True)
class Layout:
    """Nodes are numbers from 1. Groups found themselves when somebody lets them join."""

    controllers: tuple[int, ...]
    """Who forms the cluster, and has the controller's replicas."""
    groups: dict[int, tuple[int, ...]]
    """By group, the nodes of its placement; the first is to lead it."""
    shards: int
    """How many there are."""
    engines: Mapping[int, EngineName] = field(default_factory=dict)
    """Of the groups that run another one than the controller, by group."""

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return max(max(nodes) for nodes in (self.controllers, *self.groups.values()))

    @property
    def is_shared(self) -> bool:
        """Is any node in two groups?"""
        named = [node for nodes in self.groups.values() for node in nodes]
        return len(set(named)) < len(named)


def apart(groups: Sequence[int], *, shards: int, size: int = 3, controllers: int = 3) -> Layout:
    """Return the classroom's: each group and the controller on nodes of their own."""
    first = 1 + controllers
    nodes = {
        group: tuple(range(first + size * place, first + size * (place + 1)))
        for place, group in enumerate(groups)
    }
    return Layout(tuple(range(1, first)), nodes, shards)


def together(groups: Sequence[int], *, shards: int, nodes: int = 3) -> Layout:
    """Return all groups and the controller on the same nodes, led by one after the other."""
    every = tuple(range(1, nodes + 1))
    turned = {
        group: every[place % nodes :] + every[: place % nodes] for place, group in enumerate(groups)
    }
    return Layout(every, turned, shards)
