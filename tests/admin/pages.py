"""Nodes' http pages over a controller in memory, whose moves end when a test says so."""

import asyncio
import socket
import threading
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path

from structlog.testing import capture_logs

from machine.controlling import Controller
from pnyx.admin.controller import Cluster
from pnyx.consensus.membership import Membership
from pnyx.ids import Epoch, GroupId, Index, NodeId, Term
from pnyx.machine.directives import AnyDirective, MoveCommitted
from pnyx.machine.results import OK, Refusal
from pnyx.node.directing import REFUSED, Told as Directed
from pnyx.node.http import Page
from pnyx.node.members import Told, Wish
from pnyx.node.metrics import Metrics
from pnyx.node.settings import NodeAddress, Settings
from pnyx.node.status import GroupStatus, LogPosition, Member, Topology
from pnyx.replica.arrival import Progress
from pnyx.replica.requests import Reason

HOST = "127.0.0.1"


class Paged:
    """One node, as its page knows it."""

    boot = 7

    def __init__(self, cluster: "Pages", label: str, port: int) -> None:
        self.cluster = cluster
        self.port = port
        nodes = {label: NodeAddress(host=HOST, http_port=port)}
        self.settings = Settings(
            name=label,
            cluster_id="ab" * 16,
            data=Path("d"),
            nodes=nodes,
            requirepass=cluster.password,
        )
        self.metrics = Metrics()

    def ready(self) -> tuple[bool, str]:
        return True, ""

    def topology(self) -> Topology:
        me = self.cluster.node(self.settings.name)
        members = tuple(
            Member(
                self.cluster.node(label), label, HOST, 1, 2, 3, self.cluster.ports[label],
                reachable=label not in self.cluster.dead,
            )
            for label in self.cluster.labels
        )  # fmt: skip
        controller = self.cluster.controller
        newest, directory = controller.newest, controller.directory
        everybody = (*newest.placements, *directory.leaving)
        groups = []
        for placement in sorted(everybody, key=lambda one: one.group):
            voters = tuple(sorted(member.node for member in placement.members))
            up = [one for one in placement.members if one.label not in self.cluster.dead]
            quorum = 2 * len(up) > len(voters)
            leader = up[0].node if quorum else placement.members[0].node
            groups.append(
                GroupStatus(
                    placement.group, leader, Term(1), quorum, voters, engine=placement.engine
                )
            )
        owners = tuple(serving.group for serving in directory.shards)
        return Topology(me, members, tuple(groups), owners, newest.number)

    def position(self, group: GroupId) -> LogPosition:
        serving = self.cluster.controller.directory.shards
        count = sum(one.group == group for one in serving)
        return LogPosition(1, Index(9), Index(9), 1, count)

    def disk_bytes(self) -> int:
        return 4_096

    def moves(self) -> tuple[tuple[Progress, ...], tuple[Progress, ...]]:
        return (), ()

    def memberships(self) -> dict[GroupId, Membership]:
        groups = self.topology().groups
        return {one.group: Membership(one.voters) for one in groups}

    def controller(self) -> GroupStatus | None:
        quorum = self.cluster.reason is None
        voters = tuple(self.cluster.node(label) for label in self.cluster.labels)
        return GroupStatus(GroupId(0), voters[0], Term(1), quorum, voters)

    def cut_from(self, labels: Collection[str]) -> None:
        raise AssertionError(labels)

    async def change_members(self, wish: Wish) -> Told:
        self.cluster.wishes.append(wish)
        return Told("done")

    async def direct(self, directive: AnyDirective) -> Directed:
        if self.cluster.reason is not None:
            return Directed("not_done", self.cluster.reason.value)
        self.cluster.told.append(directive)
        controller = self.cluster.controller
        result = controller.tell(directive) if directive.writes else controller.ask(directive)
        if isinstance(result, Refusal):
            return Directed(REFUSED, result.text)
        assert isinstance(result, bytes)
        return Directed("done", result=result)


class Pages:
    """A context manager: the pages run on a thread of their own."""

    def __init__(self, *labels: str, shards: int = 12, password: str = "") -> None:
        self.labels = labels or ("n1", "n2", "n3")
        self.password = password
        self.controller = Controller(shards)
        self.reason: Reason | None = None
        """Why the controller does nothing."""
        self.told: list[AnyDirective] = []
        self.wishes: list[Wish] = []
        self.dead: set[str] = set()
        self.ports: dict[str, int] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._pages: dict[str, Page] = {}
        self._silence = ExitStack()

    @property
    def where(self) -> Cluster:
        """What a program is told of them."""
        places = {label: (HOST, port) for label, port in self.ports.items()}
        return Cluster(places, self.password)

    @property
    def http(self) -> str:
        return f"{HOST}:{self.ports[self.labels[0]]}"

    def node(self, label: str) -> NodeId:
        return NodeId(self.labels.index(label) + 1)

    def arrive(self, count: int = 10_000) -> None:
        """End so many moves well, the first ones first."""
        for shard, serving in self.controller.directory.undecided()[:count]:
            report = MoveCommitted(shard, Epoch(serving.epoch + 1), serving.destination)
            assert self.controller.tell(report) == OK

    def __enter__(self) -> "Pages":
        self._thread.start()
        self._silence.enter_context(capture_logs())
        for label in self.labels:
            with socket.create_server((HOST, 0)) as sock:
                self.ports[label] = sock.getsockname()[1]
            self._pages[label] = Page(Paged(self, label, self.ports[label]))
            asyncio.run_coroutine_threadsafe(self._pages[label].start(), self._loop).result(10)
        return self

    def stop(self, label: str) -> None:
        """Let a node not answer any more."""
        self.dead.add(label)
        asyncio.run_coroutine_threadsafe(self._pages.pop(label).stop(), self._loop).result(10)

    def __exit__(self, *exc: object) -> None:
        for label in list(self._pages):
            self.stop(label)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._silence.close()
        self._loop.close()
