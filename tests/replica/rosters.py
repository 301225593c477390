"""A few nodes in one thread, each with its roster: real consensus, machines and messages.

Disks are done at once, and nothing is ever lost but what a test cuts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pnyx.consensus.engines import ENGINES, EngineName
from pnyx.consensus.member.settings import MemberSettings
from pnyx.consensus.member.start import Start
from pnyx.consensus.membership import Membership
from pnyx.consensus.ready import RecoveredLog
from pnyx.ids import GroupId, NodeId, ShardId
from pnyx.machine.commands import AnyCommand
from pnyx.machine.configuration import Member
from pnyx.machine.controller import CONTROLLER
from pnyx.machine.group import Group
from pnyx.machine.moving import SHARDS
from pnyx.machine.shards import shard_of_slot
from pnyx.machine.slots import slot_of
from pnyx.prng import Prng
from pnyx.replica.asks import Ask
from pnyx.replica.effects import Effects, Now
from pnyx.replica.founding import Founding, Missing
from pnyx.replica.limits import ReplicaLimits
from pnyx.replica.newsroom import Errand
from pnyx.replica.replica import Replica
from pnyx.replica.requests import Answer, Request
from pnyx.replica.roster import CONTROL, Roster
from pnyx.storage.memory import MemorySpace

WALL_MS = 1_000_000_000


def member(number: int) -> Member:
    return Member(f"n{number}", f"127.0.0.1:{7100 + number}", NodeId(number))


@dataclass
class Node:
    """A node and what its clients were told."""

    roster: Roster
    space: MemorySpace
    answers: list[tuple[Any, Answer]] = field(default_factory=list)
    doomed: list[GroupId] = field(default_factory=list)

    def told(self, ticket: object) -> Answer | None:
        found = [answer for asked, answer in self.answers if asked == ticket]
        assert len(found) <= 1, "an answer comes once"
        return found[0] if found else None


class Nodes:
    """Nodes 1..count, of which the first `controllers` have the controller."""

    def __init__(
        self,
        count: int = 3,
        controllers: int = 0,
        groups: int = 2,
        shards: int = 10,
        limits: ReplicaLimits | None = None,
        engine: EngineName = EngineName.RAFT,
    ) -> None:
        self.mono_ms = 0
        self.limits = limits or ReplicaLimits()
        self.cut: set[frozenset[int]] = set()
        self.nodes: dict[int, Node] = {}
        self.visits = 0
        """Effects of any group that were carried out."""
        placed = tuple(member(number) for number in range(1, (controllers or count) + 1))
        self.founding = Founding(shards, groups, placed, engine)
        voters = tuple(each.node for each in placed)
        names = tuple((each.label, each.node) for each in placed)
        for number in range(1, count + 1):
            node = NodeId(number)
            roster = Roster(
                me=node,
                boot=1000 + 2 * number,
                limits=self.limits,
                controllers=voters,
                founding=self.founding,
            )
            self.nodes[number] = Node(roster, MemorySpace())
            if node in voters:
                first = Missing(CONTROL, Membership(voters, names=names), engine, 1, False)
                self.start(number, first)
        for number in self.nodes:
            for other in self.nodes:
                if other != number:
                    self.nodes[number].roster.met(NodeId(other), self.now)

    @property
    def now(self) -> Now:
        return Now(self.mono_ms, WALL_MS + self.mono_ms)

    def start(self, number: int, missing: Missing) -> None:
        """Give a node a replica of a group."""
        one = self.nodes[number]
        machine = CONTROLLER if missing.group == CONTROL else SHARDS
        group = Group(one.space, missing.group, machine, shards=missing.shards)
        group.found(missing.membership)
        consensus = ENGINES[missing.engine](
            Start(
                me=NodeId(number),
                membership=missing.membership,
                settings=MemberSettings(),
                prng=Prng(number * 100 + missing.group),
                now_ms=self.mono_ms,
                boot=number,
                recovered=RecoveredLog(),
            )
        )
        replica = Replica(
            me=NodeId(number),
            boot=1000 + 2 * number,
            consensus=consensus,
            group=group,
            limits=self.limits,
        )
        if missing.campaigns:
            consensus.campaign(self.mono_ms)
        one.roster.add(missing.group, replica, self.now)

    def shard_of(self, key: bytes) -> ShardId:
        return ShardId(shard_of_slot(slot_of(key), self.founding.shards))

    def roster(self, number: int) -> Roster:
        return self.nodes[number].roster

    def leader(self, group: int) -> int:
        """Return the one node where `group` leads."""
        (found,) = [
            number
            for number, one in self.nodes.items()
            if group in one.roster.replicas and one.roster.replicas[GroupId(group)].leads
        ]
        return found

    def elect(self, number: int, group: int = 0) -> None:
        replica = self.roster(number).replicas[GroupId(group)]
        replica.consensus.campaign(self.mono_ms)
        self.roster(number).touched(GroupId(group))
        self.settle()

    def submit(
        self, number: int, group: int, ticket: object, *commands: AnyCommand, forward: bool = True
    ) -> None:
        by_log = any(command.writes for command in commands)
        request = Request(ticket, commands, by_log, forward)
        self.roster(number).submit(GroupId(group), [request], self.now)
        self.settle()

    def part(self, *numbers: int) -> None:
        """Break all links between these nodes and the others."""
        for number in self.nodes:
            for other in numbers:
                if number not in numbers:
                    self.cut.add(frozenset((number, other)))
                    self.roster(number).link_lost(NodeId(other))
                    self.roster(other).link_lost(NodeId(number))
        self.settle()

    def heal(self) -> None:
        for pair in self.cut:
            one, other = pair
            self.roster(one).met(NodeId(other), self.now)
            self.roster(other).met(NodeId(one), self.now)
        self.cut.clear()
        self.settle()

    def advance(self, ms: int) -> None:
        for _ in range(ms // 10):
            self.mono_ms += 10
            for one in self.nodes.values():
                if one.roster.deadline_ms <= self.mono_ms:
                    one.roster.tick(self.now)
            self.settle()

    def settle(self) -> None:
        busy = True
        while busy:
            busy = False
            for number, one in self.nodes.items():
                while turn := one.roster.effects(self.now):
                    busy = True
                    for group, effects in turn:
                        self.visits += 1
                        self._carry_out(number, group, effects)
                for missing in one.roster.missing():
                    busy = True
                    self.start(number, missing)
                one.doomed += one.roster.doomed()

    def _carry_out(self, number: int, group: GroupId, effects: Effects) -> None:
        one = self.nodes[number]
        one.answers += effects.answers
        inner = [ticket for ticket, _ in effects.answers if isinstance(ticket, Ask | Errand)]
        assert not inner, "what a roster asks for itself is answered to nobody else"
        self._send(number, group, effects.send)
        if effects.write is not None:
            one.roster.persisted(group, effects.write.write_id, self.now)
        self._send(number, group, [outbound for _, outbound in effects.send_when_durable])
        if effects.flush is not None:
            one.space.flush()
            one.roster.flushed(group, effects.flush, self.now)

    def _send(self, number: int, group: GroupId, outbounds: Sequence[Any]) -> None:
        for outbound in outbounds:
            is_cut = frozenset((number, int(outbound.to))) in self.cut
            if outbound.to in self.nodes and not is_cut:
                receiver = self.roster(outbound.to)
                receiver.heard(NodeId(number), self.now.wall_ms)
                receiver.step(group, NodeId(number), outbound.message, self.now)
