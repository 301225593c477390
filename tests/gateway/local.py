"""A store of one process: real machine code on a memory space, without consensus or disk.

Run as a program it serves both ports, for redis-benchmark and for comparing with redis-server.
"""

import argparse
import asyncio
import secrets
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import uvloop

from pnyx.consensus.ready import Entry, EntryKind
from pnyx.gateway.server import Gateway
from pnyx.ids import GroupId, Index, NodeId, Term
from pnyx.machine.commands import AnyCommand, Batch, Tick
from pnyx.machine.group import Group
from pnyx.machine.results import Result
from pnyx.machine.shards import SHARDS_DEFAULT
from pnyx.node.settings import LimitsTable, NodeAddress, Settings
from pnyx.node.status import GroupStatus, LogPosition, Member, Topology
from pnyx.replica.requests import Answer, Done, Elsewhere, Request
from pnyx.storage.memory import MemorySpace

ME = NodeId(0x1234)
OTHER = NodeId(0x5678)
GROUP = GroupId(1)


def free_port() -> int:
    """Return a port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def settings_for(gateway_port: int, cluster_port: int, **changes: object) -> Settings:
    limits = LimitsTable.model_validate(changes.pop("limits", {}))
    address = NodeAddress(host="127.0.0.1", gateway_port=gateway_port, cluster_port=cluster_port)
    other = NodeAddress(host="127.0.0.1", gateway_port=1, cluster_port=2, peer_port=3, http_port=4)
    return Settings.model_validate(
        {
            "name": "n1",
            "cluster_id": "0" * 32,
            "data": Path("unused"),
            "nodes": {"n1": address, "n2": other},
            "limits": limits,
            **changes,
        }
    )


class LocalStore:
    """Applies what is submitted in one turn of the loop as one entry, as the node does."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.boot = secrets.randbits(64)
        self._group = Group(MemorySpace(), GROUP)
        self._queue: list[Request] = []
        self.submitted: list[Request] = []
        self.keeps_submitted = False
        self.leader: NodeId | None = ME
        self.quorum = True
        self.other_votes = True
        self.answer: Callable[[Request], Answer | None] | None = None
        """Answers instead of the machine, unless it returns None."""
        self.is_held = False
        """Requests wait until `release`."""

    @property
    def settings(self) -> Settings:
        return self._settings

    def submit(self, group: GroupId, request: Request) -> None:
        assert group == GROUP
        if self.keeps_submitted:
            self.submitted.append(request)
        if not self._queue and not self.is_held:
            asyncio.get_running_loop().call_soon(self._answer_all)
        self._queue.append(request)

    @property
    def waiting(self) -> int:
        """How many requests wait to be answered."""
        return len(self._queue)

    def release(self) -> None:
        self.is_held = False
        self._answer_all()

    def topology(self) -> Topology:
        mine, other = self._settings.nodes["n1"], self._settings.nodes["n2"]
        return Topology(
            me=ME,
            members=(
                _member(ME, "n1", mine),
                replace(_member(OTHER, "n2", other), voter=self.other_votes),
            ),
            groups=(
                GroupStatus(
                    GROUP,
                    leader=self.leader,
                    term=Term(3),
                    quorum=self.quorum,
                    voters=(ME, OTHER) if self.other_votes else (ME,),
                    learners=() if self.other_votes else (OTHER,),
                ),
            ),
            owners=(GROUP,) * SHARDS_DEFAULT,
        )

    def group_of_slot(self, _slot: int) -> GroupId:
        return GROUP

    def position(self, _group: GroupId) -> LogPosition:
        applied = self._group.applied.index
        return LogPosition(Term(3), applied, applied, followers_at_commit=1)

    def clock_ms(self) -> int:
        return int(time.time() * 1000)

    def leads(self, group: GroupId) -> bool:
        return group == GROUP and self.leader == ME

    def disk_bytes(self) -> int:
        return 0

    def _answer_all(self) -> None:
        queue, self._queue = self._queue, []
        for request in queue:
            answer = None if self.answer is None else self.answer(request)
            if answer is None:
                answer = self._carried_out(request)
            request.ticket.answered(answer)

    def _carried_out(self, request: Request) -> Answer:
        if self.leader != ME and not request.forward and not request.stale_role_ok:
            assert self.leader is not None
            return Elsewhere(self.leader)
        commands = tuple(request.commands)
        if request.by_log:
            return Done(tuple(self._apply(commands)))
        results = self._group.read(commands, self.clock_ms())
        if results is None:
            self._apply((Tick(),))
            results = self._group.read(commands, self.clock_ms())
        while results is None:
            results = self._group.read(commands, self._group.clock_ms)
        return Done(tuple(results))

    def _apply(self, commands: tuple[AnyCommand, ...]) -> list[Result]:
        index = Index(self._group.applied.index + 1)
        limit = self._settings.limits.value_bytes_max
        stamp = max(self.clock_ms(), self._group.clock_ms)
        batch = Batch(stamp, limit, commands)
        entry = Entry(index, Term(3), EntryKind.COMMANDS, b"")
        return self._group.apply([(entry, batch)])[0]


def _member(node: NodeId, label: str, address: NodeAddress) -> Member:
    return Member(
        node=node,
        label=label,
        host=address.host,
        gateway_port=address.gateway_port,
        cluster_port=address.cluster_port,
        peer_port=address.peer_port,
        http_port=address.http_port,
        reachable=True,
    )


async def serve(gateway_port: int, cluster_port: int) -> None:
    gateway = Gateway(LocalStore(settings_for(gateway_port, cluster_port)))
    await gateway.start()
    sys.stdout.write("READY\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--gateway-port", type=int, required=True)
    parser.add_argument("--cluster-port", type=int, required=True)
    chosen = parser.parse_args()
    uvloop.run(serve(chosen.gateway_port, chosen.cluster_port))
