"""The watch that owns the invariants: tells each check what an event touched, and when to look."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from pnyx.consensus.ready import Role
from pnyx.ids import Index
from pnyx.lab.invariants import (
    ballots,
    catalogue,
    commits,
    durability,
    elections,
    logs,
    members,
    rare,
    resources,
    states,
)
from pnyx.lab.invariants.facts import Facts, Member, state_of
from pnyx.lab.invariants.invariant import Marks
from pnyx.lab.invariants.record import Record
from pnyx.lab.process import Process
from pnyx.lab.seat import Seat
from pnyx.lab.watch import Watch
from pnyx.replica.effects import Outbound
from pnyx.replica.requests import Answer, Unknown
from pnyx.storage.wal import GroupWrite

SCAN_EVENTS: Final = 1_000
"""Everything is compared with everything after so many events, and at the end."""
SCAN_ROWS_AN_EVENT: Final = 5
"""Where a state has very many rows it is compared more rarely: at this price, and a replica."""


class Invariants(Watch):
    """Judges one world. `finish` at the end of the run, too."""

    def __init__(self, marks: Marks | None = None, record: Record | None = None) -> None:
        """Count into `marks` and put what is agreed on into `record`, or into new ones."""
        self.marks = marks if marks is not None else Marks()
        self.record = record if record is not None else Record()
        self.facts = Facts(self.marks, self.record)
        self._members: dict[int, Member] = {}
        self._labels: dict[str, int] = {}
        """Which NodeId a label had last."""
        self._applied: dict[int, Index] = {}
        """How far each NodeId had applied when it ended."""
        self._touches = 0
        self._scan_at = SCAN_EVENTS

    # What the world says.

    def started(self, seat: Seat) -> None:
        """Compare what came back from the disk with what was on it."""
        replica = seat.replica
        raft, group = state_of(replica), replica.group
        shadow = self.facts.shadow(seat.node)
        if self._labels.setdefault(seat.label, seat.node) != seat.node:
            self._labels[seat.label] = seat.node
            self.marks.hit(catalogue.NODE_WIPED)
        self.record.begin(raft.log.membership, group)
        durability.check_recovery(self.facts, seat.label, shadow, raft, group)
        if group.applied.index < self._applied.get(seat.node, 0):
            self.marks.hit(catalogue.STATE_MACHINE_SAFETY.sometimes)
        member = Member(seat.life, seat.node, seat.label, replica, raft, group, shadow)
        member.term, member.voted_for = raft.term, raft.voted_for
        member.accepted = ballots.accepted_of(raft)
        self._members[seat.number] = member
        self._look(member, _key(member))

    def ended(self, process: Process, how: str) -> None:
        """Forget the life; its disk is remembered."""
        member = self._members.pop(process.number, None)
        if how == "failed":
            self.marks.hit(catalogue.NODE_FAILED)
        if member is not None:
            self._applied[member.node] = member.applied
            if member.shadow.pending:
                self.marks.hit(catalogue.DURABLE_BEFORE_SENT.sometimes)

    def asked(self, process: Process, write: GroupWrite) -> None:
        """Remember what is on its way to the disk."""
        self.facts.shadow(process.node).pending.append(write.write)

    def durable(self, process: Process, writes: Sequence[GroupWrite]) -> None:
        """What was asked first is durable first."""
        self.facts.shadow(process.node).durable(len(writes))

    def answered(self, process: Process, ticket: Any, answer: Answer) -> None:
        """What an answer rests on is judged before the answer."""
        member = self._members.get(process.number)
        if member is None:
            return
        if isinstance(answer, Unknown) and member.raft.role is not Role.LEADER:
            self.marks.hit(catalogue.FORWARD_UNKNOWN)
        key = _key(member)
        if key != member.key:
            self._look(member, key)

    def sending(self, seat: Seat, outbound: Outbound) -> None:
        """Judge a message, by the state of its sender as it leaves."""
        member = self._members.get(seat.number)
        if member is None:
            return
        if member.raft.commit_index != member.commit:
            # The event may not come to its end: what it tells others counts from here on.
            self._look(member, _key(member))
        durability.sending(self.facts, member, outbound.to, outbound.message)

    def touched(self, seat: Seat) -> None:
        """Look at what the event changed, and now and then at everything."""
        member = self._members.get(seat.number)
        if member is None:
            return
        key = _key(member)
        if key != member.key:
            self._look(member, key)
        if member.raft.role is Role.LEADER:
            self._look_at_peers(member)
        self._touches += 1
        if self._touches == self._scan_at:
            self.scan()
            reference = self.facts.record.reference
            rows = 0 if reference is None else reference.row_count
            self._scan_at += max(SCAN_EVENTS, rows // SCAN_ROWS_AN_EVENT)

    def finish(self, processes: Iterable[Process]) -> None:
        """The run is over: a last look at everything."""
        for member in self._members.values():
            self._look(member, _key(member))
        self.scan()

    def scan(self) -> None:
        """Compare everything with everything.

        Raises:
            Violation: something was missed when it happened, or happened behind the replica's back.
        """
        for member in self._members.values():
            # Whoever changes a replica from outside leaves it unturned, and its judges blind.
            assert member.key == _key(member), "a replica changes in events of its own node only"
            logs.scan(self.facts, member)
            members.look(self.facts, member)
            resources.look(member)
            states.compare(self.facts, member, catalogue.STATE_MACHINE_SAFETY)

    # Inside.

    def _look(self, member: Member, key: tuple[Any, ...]) -> None:
        facts, raft = self.facts, member.raft
        before = member.last_seen
        elections.look(facts, member)
        ballots.look(facts, member)
        logs.look(facts, member)
        commits.look(facts, member, before)
        states.look(facts, member)
        members.look(facts, member)
        resources.look(member)
        rare.look(facts, member)
        if raft.role is not member.role or raft.term != member.term:
            member.matches.clear()
        member.key = key
        member.term, member.voted_for, member.role = raft.term, raft.voted_for, raft.role
        member.accepted = ballots.accepted_of(raft)
        member.commit = raft.commit_index
        member.applied = member.group.applied.index
        member.installed = member.group.installed.index

    def _look_at_peers(self, member: Member) -> None:
        matches = member.matches
        for peer, progress in member.raft.peers.items():
            if progress.match != matches.get(peer, 0):
                durability.check_match(self.facts, member, peer, progress)
                matches[peer] = progress.match
            if progress.inflight:
                resources.look_peer(member, progress)


def _key(member: Member) -> tuple[Any, ...]:
    raft = member.raft
    log = raft.log
    return (
        raft.term,
        raft.voted_for,
        raft.role,
        raft.commit_index,
        log.last_index,
        log.last_term,
        log.compacted.index,
        ballots.accepted_of(raft),
        member.group.applied.index,
    )
