"""`client.admin`: what an operator may ask of the cluster, over its nodes' http pages.

The nodes say on the client's own connection where their pages are; the password is the client's.
Changes are taken with `requirepass`, or from the nodes' own machine.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pnyx.admin import controller, leaders, moves
from pnyx.admin.controller import Cluster, Configuration
from pnyx.admin.groups import GroupView, groups, newest
from pnyx.admin.health import Health, ReportedMember, ask_members, judge
from pnyx.admin.moves import WAIT_S, Goal, Move, number_of, numbers_of
from pnyx.admin.placing import up_and_down
from pnyx.client.command import Command

PAGES: Final = Command(("INFO", "pnyx"), None, writes=False)
"""Asks a node where all pages are; see `located`."""
_FIELD: Final = "pnyx_http:"


def located(reply: Any, password: str | None) -> Cluster:
    """Return the cluster whose node gave this reply to `PAGES`."""
    text = reply if isinstance(reply, str) else bytes(reply).decode()
    line = next((one for one in text.splitlines() if one.startswith(_FIELD)), _FIELD)
    pages = {}
    for place in filter(None, line.removeprefix(_FIELD).split(",")):
        label, _, address = place.partition("=")
        host, _, port = address.rpartition(":")
        pages[label] = (host, int(port))
    return Cluster(pages, password)


class Admin:
    """One cluster, as an operator sees it. Groups are called g1, g2 and so on.

    Every method raises `PnyxError`: `ControllerRefused` and `ChangeRefused` if nothing was changed
    (the cause says why), `ControllerSilent` without a quorum of the controller, `ChangeUnknown` if
    it may have been done, `MovesPending` if shards were still on their way, `NoAnswer` if no page
    answers or the password is wrong.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def status(self) -> Health:
        """Return how the cluster is, as `pnyx health` says it.

        >>> client.admin.status().word.value
        'HEALTHY'
        """
        return judge(ask_members(self._cluster.pages))

    def nodes(self) -> tuple[ReportedMember, ...]:
        """Return all nodes, sorted by label, as the one with the newest configuration sees them."""
        report = newest(ask_members(self._cluster.pages))
        return () if report is None else report.members

    def groups(self) -> list[GroupView]:
        """Return the groups: who leads each, where it lives, how much it serves.

        >>> sum(group.slots for group in client.admin.groups())
        16384
        """
        return groups(ask_members(self._cluster.pages))

    def join(
        self,
        *names: str,
        nodes: Sequence[str] = (),
        apart: bool = False,
        consensus: str | None = None,
        wait_s: float = WAIT_S,
    ) -> None:
        """Let groups join, and return when they serve their part; asked again, wait on.

        Args:
            names: for example "g4"; none: the next free one.
            nodes: labels, who is to lead first; those that have least if there are none, with one
                that is down among them only if it must be.
            apart: refuse nodes that have another group already.
            consensus: raft or multipaxos; what the nodes' settings say if None.
            wait_s: seconds to wait for the shards; 0 returns once it is decided.
        """
        wanted: Mapping[int, Sequence[str]] = dict.fromkeys(numbers_of(names), nodes)
        if not wanted:
            wanted = {moves.next_number(controller.maps(self._cluster)): nodes}
        up, down = up_and_down(ask_members(self._cluster.pages))
        goal = moves.join(self._cluster, wanted, nodes=up, down=down, apart=apart, engine=consensus)
        self._follow(goal, wait_s)

    def leave(self, *names: str, wait_s: float = WAIT_S) -> None:
        """Let groups leave for ever, and return when others serve what they had.

        With ``wait_s=0`` it returns once it is decided; called again it waits, and retires them.
        """
        numbers = numbers_of(names)
        self._follow(moves.leave(self._cluster, numbers), wait_s)
        if wait_s:
            moves.retire(self._cluster, numbers)

    def move(self, shard: int, group: str, *, wait_s: float = WAIT_S) -> None:
        """Let a shard go to a group, and return when it is there; it stays until the next change.

        A move that waits for a dead group is taken back by moving the shard to where it is.
        """
        self._follow(moves.move(self._cluster, shard, number_of(group)), wait_s)

    def query(self, number: int | None = None) -> Configuration:
        """Return the configuration of that number, or the newest: who should have which shard.

        >>> client.admin.query(0).placements
        ()
        """
        return controller.configuration(self._cluster, number)

    def plan(self, change: controller.Change | None = None) -> list[Move]:
        """Return the moves that are still to be done, or those that a change would lead to.

        Args:
            change: made by `joining`, `leaving` or `moving` of `pnyx.admin.controller`.
        """
        maps = controller.maps(self._cluster)
        if change is None:
            return moves.to_move(maps)
        return moves.between(maps, controller.plan(self._cluster, change))

    def drain(self, label: str) -> None:
        """Hand over what a node leads and remove it for ever: its process stops by itself."""
        leaders.drain(self._cluster, label)

    def transfer_leader(self, label: str = "", *, group: str = "g1") -> str:
        """Have a node lead a group, or the best follower without a name; return who leads then."""
        return leaders.hand_over(self._cluster, label, number_of(group))

    def _follow(self, goal: Goal, wait_s: float) -> None:
        if wait_s:
            for _progress in moves.follow(self._cluster, goal, wait_s):
                pass
