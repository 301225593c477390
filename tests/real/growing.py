"""Somebody who lets groups join and leave a cluster, one after the other."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pnyx.admin import controller, moves
from pnyx.admin.controller import ControllerSilent, Maps, Placed
from pnyx.admin.members import ChangeUnknown
from pnyx.admin.page import NoAnswer
from pnyx.harness.cluster import Cluster

DECIDED_S_MAX = 60.0
"""For the controller to answer at last, and for moves, whatever happens to them."""
T = TypeVar("T")


@dataclass
class Operator:
    """Lets groups join and leave, one after the other, and asks again until it is done."""

    cluster: Cluster
    draw: random.Random
    changes: int = 0
    asked_again: int = 0

    @property
    def where(self) -> controller.Cluster:
        places = list(self.cluster.http_addresses().items())
        self.draw.shuffle(places)
        return controller.Cluster(dict(places))

    def join(self, *, anywhere: bool) -> None:
        """Let a group come: led by any node, or by who leads the group that is there longest.

        When that one leaves, its leader leads the new one: every node always leads something.
        """
        group, labels = moves.next_number(self.insists(self.maps)), sorted(self.cluster.nodes)
        chosen = self.draw.sample(labels, len(labels)) if anywhere else self.oldest().nodes
        self.awaits(self.insists(lambda: moves.join(self.where, {group: chosen}, nodes=labels)))

    def leave(self) -> None:
        """Let the group go that is there longest."""
        oldest = self.oldest().group
        self.awaits(self.insists(lambda: moves.leave(self.where, [oldest])))
        self.insists(lambda: moves.retire(self.where, [oldest]))

    def oldest(self) -> Placed:
        """Return the group that is there longest."""
        placements = self.insists(self.maps).configuration.placements
        return min(placements, key=lambda placed: placed.group)

    def maps(self) -> Maps:
        return controller.maps(self.where)

    def awaits(self, goal: moves.Goal) -> None:
        for _ in moves.follow(self.where, goal, wait_s=DECIDED_S_MAX):
            pass
        self.changes += 1

    def insists(self, ask: Callable[[], T]) -> T:
        ends_s = time.monotonic() + DECIDED_S_MAX
        while True:
            try:
                return ask()
            except (ChangeUnknown, ControllerSilent, NoAnswer):
                assert time.monotonic() < ends_s, "the controller never answers"
                self.asked_again += 1
                time.sleep(0.2)
