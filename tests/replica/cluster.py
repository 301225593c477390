"""A few replicas in one thread: real consensus, real machine, messages and disks by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pnyx.consensus.member.settings import MemberSettings
from pnyx.consensus.member.start import Start
from pnyx.consensus.membership import Membership
from pnyx.consensus.raft.raft import Raft
from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.ready import HardState, RecoveredLog
from pnyx.ids import GroupId, NodeId
from pnyx.machine.commands import AnyCommand
from pnyx.machine.group import Group
from pnyx.prng import Prng
from pnyx.replica.changes import Change
from pnyx.replica.effects import Effects, Now, Outbound
from pnyx.replica.limits import ReplicaLimits
from pnyx.replica.replica import Replica
from pnyx.replica.requests import Answer, Request
from pnyx.storage.memory import MemorySpace

WALL_MS = 1_000_000_000


@dataclass
class Member:
    """One replica, its disk, and what its clients were told."""

    replica: Replica
    space: MemorySpace
    disk_held: bool = False
    unsynced: list[int] = field(default_factory=list)
    delayed: list[tuple[int, Outbound]] = field(default_factory=list)
    durable: int = 0
    answers: list[tuple[Any, Answer]] = field(default_factory=list)
    wall_skew_ms: int = 0


class Cluster:
    """Replicas 1..n, wired together."""

    def __init__(
        self,
        count: int = 3,
        limits: ReplicaLimits | None = None,
        settings: MemberSettings | None = None,
    ) -> None:
        self.mono_ms = 0
        self.cut: set[tuple[int, int]] = set()
        self.dropped: list[tuple[int, Outbound]] = []
        nodes = tuple(NodeId(number) for number in range(1, count + 1))
        self.members: dict[int, Member] = {}
        self.down: set[int] = set()
        self.limits = limits or ReplicaLimits()
        self.settings = settings or MemberSettings()
        names = tuple((f"n{node}", node) for node in nodes)
        self.formed = Membership(nodes, names=names)
        for node in nodes:
            self.add(node)

    def add(self, number: int, joins: str = "") -> Replica:
        """Start a node with an empty disk."""
        self._start(number, MemorySpace(), joins, boot=number)
        for other in self.members:
            if other != number:
                self.members[number].replica.met(NodeId(other))
        return self.members[number].replica

    def crash(self, number: int) -> None:
        """The process is gone; what it wrote is durable."""
        self.down.add(number)

    def restart(self, number: int, joins: str = "") -> Replica:
        """Start a crashed node from its disk, which had done all that it was asked."""
        assert not self.members[number].unsynced, "what was not durable is lost"
        raft = self.members[number].replica.consensus
        assert isinstance(raft, Raft)
        self.down.discard(number)
        self._start(number, self.members[number].space, joins, number + 1000, raft._state)
        for other in self.members:
            if other != number:
                self.members[number].replica.met(NodeId(other))
        return self.members[number].replica

    def _start(
        self,
        number: int,
        space: MemorySpace,
        joins: str,
        boot: int,
        before: RaftState | None = None,
    ) -> None:
        group = Group(space, GroupId(1))
        if group.membership is None:
            group.membership = self.formed
        node = NodeId(number)
        raft = Raft(
            Start(
                me=node,
                membership=group.membership,
                settings=self.settings,
                prng=Prng(boot),
                now_ms=self.mono_ms,
                boot=boot,
                recovered=RecoveredLog() if before is None else _left_by(before),
                applied=group.applied.index,
            )
        )
        replica = Replica(
            me=node, boot=boot, consensus=raft, group=group, limits=self.limits, joins=joins
        )
        self.members[node] = Member(replica, space)

    @property
    def running(self) -> dict[int, Member]:
        return {node: one for node, one in self.members.items() if node not in self.down}

    @property
    def leader(self) -> int:
        """The one member of the highest term that leads."""
        leading = [
            (one.replica.consensus.term, node)
            for node, one in self.running.items()
            if one.replica.leads
        ]
        assert leading, "somebody leads"
        return max(leading)[1]

    def change(self, node: int, change: Change, ticket: object) -> None:
        self.members[node].replica.change_members(change, ticket, self.now(node))
        self.settle()

    def now(self, node: int) -> Now:
        return Now(self.mono_ms, WALL_MS + self.mono_ms + self.members[node].wall_skew_ms)

    def elect(self, node: int) -> Replica:
        """Make `node` the leader."""
        self.members[node].replica.consensus.campaign(self.mono_ms)
        self.settle()
        assert self.members[node].replica.leads, "an undisturbed campaign is won"
        return self.members[node].replica

    def await_leader(self, but: int) -> int:
        """Let time pass until another node than `but` leads; return which."""
        for _ in range(300):
            for node, member in self.running.items():
                if node != but and member.replica.leads:
                    return node
            self.advance(10)
        raise AssertionError("nobody was elected within 3 s")

    def isolate(self, node: int) -> None:
        """Cut every link of `node`, both ways."""
        for other in self.members:
            if other != node:
                self.cut |= {(node, other), (other, node)}

    def submit(
        self,
        node: int,
        ticket: object,
        *commands: AnyCommand,
        forward: bool = True,
        stale: bool = False,
    ) -> None:
        by_log = any(command.writes for command in commands)
        request = Request(ticket, commands, by_log=by_log, forward=forward, stale=stale)
        self.members[node].replica.submit([request], self.now(node))

    def advance(self, ms: int) -> None:
        """Let time pass, in steps of 10 ms."""
        for _ in range(ms // 10):
            self.mono_ms += 10
            for node, member in self.running.items():
                if self.mono_ms >= member.replica.deadline_ms:
                    member.replica.tick(self.now(node))
            self.settle()

    def settle(self) -> None:
        """Carry out effects until there are none."""
        busy = True
        while busy:
            busy = False
            for node, member in self.running.items():
                while (effects := member.replica.effects(self.now(node))) is not None:
                    busy = True
                    self._carry_out(node, member, effects)

    def sync(self, node: int) -> None:
        """What the held disk of `node` was asked to write is durable now."""
        member = self.members[node]
        while member.unsynced:
            member.durable = member.unsynced.pop(0)
            member.replica.persisted(member.durable, self.now(node))
        ready = [outbound for at, outbound in member.delayed if at <= member.durable]
        member.delayed = [(at, one) for at, one in member.delayed if at > member.durable]
        self._send(node, ready)

    def answers(self, node: int) -> dict[Any, Answer]:
        """Return what clients of `node` were told, each exactly once."""
        answers = self.members[node].answers
        told = dict(answers)
        assert len(told) == len(answers), "somebody was answered twice"
        return told

    def _carry_out(self, node: int, member: Member, effects: Effects) -> None:
        if effects.write is not None:
            member.unsynced.append(effects.write.write_id)
        member.delayed += effects.send_when_durable
        member.answers += effects.answers
        self._send(node, effects.send)
        if not member.disk_held:
            self.sync(node)
        if effects.flush is not None:
            member.space.flush()
            member.replica.flushed(effects.flush, self.now(node))

    def _send(self, node: int, outbounds: Sequence[Outbound]) -> None:
        for outbound in outbounds:
            gone = outbound.to in self.down or outbound.to not in self.members
            if gone or (node, outbound.to) in self.cut:
                self.dropped.append((node, outbound))
                continue
            receiver = self.members[outbound.to].replica
            receiver.heard(NodeId(node), self.now(node).wall_ms, self.now(outbound.to))
            receiver.step(NodeId(node), outbound.message, self.now(outbound.to))


def _left_by(before: RaftState) -> RecoveredLog:
    log = before.log
    entries = log.page(log.compacted.index, log.last_index, len(log), log.bytes)
    return RecoveredLog(HardState(before.term, before.voted_for), log.compacted, list(entries))
