"""The [s] key: one more group joins the running demo, and its shards are watched as they arrive."""

from pnyx.admin import controller, moves
from pnyx.admin.controller import ControllerSilent
from pnyx.admin.health import ask_all
from pnyx.admin.moves import Goal, name_of
from pnyx.admin.page import NoAnswer
from pnyx.admin.placing import up_and_down
from pnyx.harness.cluster import Cluster


class Growth:
    """One group on its way; there is one at a time."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._goal: Goal | None = None
        self._left = 0

    def begin(self) -> str:
        """Let the next group join, and say which and where.

        Raises:
            ControllerRefused, ControllerSilent, ChangeUnknown, NoAnswer: it did not.
        """
        if self._goal is not None:
            return f"{name_of(self._goal.coming[0])} is still on its way"
        place = self._place()
        maps = controller.maps(place)
        group = moves.next_number(maps)
        up, down = up_and_down(ask_all(place.pages))
        fresh = moves.wanted_placements(maps, {group: ()}, up, down=down)
        after = controller.change(place, controller.joining(fresh))
        self._left = len(moves.between(maps, after))
        self._goal = Goal(coming=(group,))
        nodes = " ".join(fresh[group])
        return (
            f"{name_of(group)} joins on {nodes}: {self._left} of {len(after.targets)} shards move"
        )

    def look(self) -> str:
        """Return how far it is, if that has changed; else nothing."""
        if self._goal is None:
            return ""
        try:
            left = len(self._goal.left(controller.maps(self._place())))
        except (ControllerSilent, NoAnswer):
            return ""
        name = name_of(self._goal.coming[0])
        if left == 0:
            self._goal = None
            return f"{name} serves all its shards"
        if left == self._left:
            return ""
        self._left = left
        return f"{name}: {left} shards are still on their way"

    def _place(self) -> controller.Cluster:
        """Return the nodes that can answer; one that is paused would only be waited for."""
        pages = {
            node.label: (node.host, node.ports.http)
            for node in self._cluster.nodes.values()
            if node.is_running() and not node.paused
        }
        return controller.Cluster(pages, self._cluster.password)
