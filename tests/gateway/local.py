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

from machine.moving import changes_at, chunk_at
from pnyx.consensus.ready import Entry, EntryKind
from pnyx.gateway.server import Gateway
from pnyx.ids import Epoch, GroupId, Index, NodeId, ShardId, Term
from pnyx.machine.commands import AnyCommand, Batch, Tick
from pnyx.machine.group import Group
from pnyx.machine.holdings import COPIED
from pnyx.machine.moves import (
    FoundShards,
    MoveAccept,
    MoveActivate,
    MoveBegin,
    MoveChunk,
    MoveDone,
    MoveFreeze,
    decode_frozen,
)
from pnyx.machine.moving import ACTIVATED, SHARDS
from pnyx.machine.results import OK, Result
from pnyx.machine.shards import shard_of_slot
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
    """Applies what is submitted in one turn of the loop as one entry a group, as the node does."""

    def __init__(self, settings: Settings, groups: int = 1, shards: int = 12) -> None:
        self._settings = settings
        self.boot = secrets.randbits(64)
        numbers = [GroupId(number) for number in range(1, groups + 1)]
        self.groups = {one: Group(MemorySpace(), one, SHARDS, shards=shards) for one in numbers}
        self.owners = [numbers[shard * groups // shards] for shard in range(shards)]
        """What this node knows of who serves each shard."""
        self.unknown = False
        """This node has not heard of any owner since its start."""
        self.frozen: set[int] = set()
        """Shards that this node knows to be served by nobody right now."""
        self.moving: frozenset[int] = frozenset()
        """Shards that this node knows to be on their way."""
        self.moved = 0
        self.leaders: dict[GroupId, NodeId | None] = dict.fromkeys(numbers, ME)
        self._queue: list[tuple[GroupId, Request]] = []
        self.submitted: list[Request] = []
        self.keeps_submitted = False
        self.quorum = True
        self.other_votes = True
        self.answer: Callable[[Request], Answer | None] | None = None
        """Answers instead of the machine, unless it returns None."""
        self.is_held = False
        """Requests wait until `release`."""
        for number in numbers:
            mine = [ShardId(at) for at, owner in enumerate(self.owners) if owner == number]
            self.tell(number, FoundShards(tuple(mine), Epoch(1)))

    @property
    def settings(self) -> Settings:
        return self._settings

    @property
    def leader(self) -> NodeId | None:
        """Who leads the first group."""
        return self.leaders[GROUP]

    @leader.setter
    def leader(self, node: NodeId | None) -> None:
        """Let `node` lead all groups."""
        self.leaders = dict.fromkeys(self.leaders, node)

    def submit(self, group: GroupId, request: Request) -> None:
        if self.keeps_submitted:
            self.submitted.append(request)
        if not self._queue and not self.is_held:
            asyncio.get_running_loop().call_soon(self._answer_all)
        self._queue.append((group, request))

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
            groups=tuple(
                GroupStatus(
                    group,
                    leader=leader,
                    term=Term(3),
                    quorum=self.quorum,
                    voters=(ME, OTHER) if self.other_votes else (ME,),
                    learners=() if self.other_votes else (OTHER,),
                )
                for group, leader in self.leaders.items()
            ),
            owners=() if self.unknown else tuple(self.owners),
            moving=self.moving,
            moved=self.moved,
        )

    def group_of_slot(self, slot: int) -> GroupId:
        if self.unknown:
            return GroupId(1)
        shard = shard_of_slot(slot, len(self.owners))
        return GroupId(0) if shard in self.frozen else self.owners[shard]

    def position(self, group: GroupId) -> LogPosition:
        applied = self.groups[group].applied.index
        return LogPosition(Term(3), applied, applied, followers_at_commit=1)

    def clock_ms(self) -> int:
        return int(time.time() * 1000)

    def leads(self, group: GroupId) -> bool:
        return self.leaders.get(group) == ME

    def disk_bytes(self) -> int:
        return 0

    # Moves, as some migration drives them.

    def freeze(self, shard: int, to: int) -> None:
        """Copy a shard to a group and freeze it where it is."""
        source, destination = self.groups[self.owners[shard]], GroupId(to)
        moving = ShardId(shard)
        held = source.shard(moving)
        assert held is not None
        epoch = held.epoch
        self.tell(self.owners[shard], MoveBegin(moving, epoch, destination))
        self.tell(destination, MoveAccept(moving, epoch, self.owners[shard]))
        after = b""
        while after != COPIED:
            chunk = chunk_at(source, moving, epoch, after, 1 << 20)
            assert chunk is not None
            self.tell(destination, MoveChunk(moving, epoch, chunk))
            after = chunk.upto
        self._moving = (moving, epoch, self.tell(self.owners[shard], MoveFreeze(moving, epoch)))

    def activate(self, shard: int, to: int) -> None:
        """Let the group serve what was frozen; the map of owners does not say so yet."""
        moving, epoch, frozen = self._moving
        assert isinstance(frozen, bytes)
        assert shard == moving
        changes = changes_at(self.groups[self.owners[shard]], moving, epoch, 0, 1 << 20)
        assert changes is not None
        last = MoveActivate(moving, epoch, decode_frozen(frozen), changes)
        assert self.tell(GroupId(to), last) == ACTIVATED
        assert self.tell(self.owners[shard], MoveDone(moving, epoch)) == OK

    def move(self, shard: int, to: int) -> None:
        """Move a shard, and let this node know."""
        if self.owners[shard] != to:
            self.freeze(shard, to)
            self.activate(shard, to)
            self.owners[shard] = GroupId(to)

    def tell(self, group: GroupId, command: AnyCommand) -> Result:
        """Apply one command at a group."""
        return self._apply(group, (command,))[0]

    def _answer_all(self) -> None:
        queue, self._queue = self._queue, []
        for group, request in queue:
            answer = None if self.answer is None else self.answer(request)
            if answer is None:
                answer = self._carried_out(group, request)
            request.ticket.answered(answer)

    def _carried_out(self, number: GroupId, request: Request) -> Answer:
        leader = self.leaders[number]
        if leader != ME and not request.forward and not request.stale_role_ok:
            assert leader is not None
            return Elsewhere(leader)
        commands = tuple(request.commands)
        if request.by_log:
            return Done(tuple(self._apply(number, commands)))
        group = self.groups[number]
        results = group.read(commands, self.clock_ms())
        if results is None:
            self._apply(number, (Tick(),))
            results = group.read(commands, self.clock_ms())
        while results is None:
            results = group.read(commands, group.clock_ms)
        return Done(tuple(results))

    def _apply(self, number: GroupId, commands: tuple[AnyCommand, ...]) -> list[Result]:
        group = self.groups[number]
        index = Index(group.applied.index + 1)
        limit = self._settings.limits.value_bytes_max
        stamp = max(self.clock_ms(), group.clock_ms)
        batch = Batch(stamp, limit, commands)
        entry = Entry(index, Term(3), EntryKind.COMMANDS, b"")
        return group.apply([(entry, batch)])[0]


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
