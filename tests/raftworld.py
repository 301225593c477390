"""A world of Raft members for tests: simulated disks, links and time, and the paper's invariants.

Nothing happens by itself. A test delivers messages, syncs disks and moves the clock, or lets
`settle` and `run` do it in order. After everything that happens the five guarantees of the paper's
Figure 3 are checked, and that nothing left a member before it was durable there.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from pnyx.consensus.member.settings import MemberSettings
from pnyx.consensus.member.start import Start
from pnyx.consensus.membership import Membership
from pnyx.consensus.raft.messages import (
    AppendEntries,
    AppendEntriesReply,
    RequestVote,
    RequestVoteReply,
)
from pnyx.consensus.raft.raft import Raft
from pnyx.consensus.ready import (
    Delayed,
    Entry,
    EntryKind,
    HardState,
    Mark,
    Position,
    ReadRelease,
    Ready,
    RecoveredLog,
    Refused,
    Role,
    Write,
)
from pnyx.ids import Index, NodeId, Term
from pnyx.prng import Prng


@dataclass
class Disk:
    """What is durable: it changes by whole writes only."""

    hard_state: HardState = field(default_factory=HardState)
    mark: Mark = field(default_factory=Mark)
    membership: Membership = field(default_factory=lambda: Membership(()))
    entries: list[Entry] = field(default_factory=list)
    accepted: Term = Term(0)
    installed: tuple[Mark, Membership] | None = None
    """What the space holds, and the membership that came with it."""

    @property
    def last_index(self) -> int:
        return self.mark.index + len(self.entries)

    def term_at(self, index: int) -> int | None:
        if index == self.mark.index:
            return self.mark.term
        offset = index - self.mark.index - 1
        return self.entries[offset].term if 0 <= offset < len(self.entries) else None

    def restart(self, mark: Mark) -> None:
        kept = self.entries[mark.index - self.mark.index :]
        agrees = self.term_at(mark.index) == mark.term
        if agrees:
            forgotten = self.entries[: mark.index - self.mark.index]
            self.membership = newest_membership(forgotten, self.membership)
        self.mark, self.entries = mark, kept if agrees else []

    def apply(self, write: Write) -> None:
        self.hard_state = write.hard_state or self.hard_state
        if write.restart:
            self.restart(write.restart)
            if self.installed is not None and self.installed[0] == write.restart:
                self.membership = self.installed[1]
        for entry in write.entries:
            del self.entries[entry.index - self.mark.index - 1 :]
            assert entry.index == self.last_index + 1, "a write leaves no gap in the log"
            self.entries.append(entry)
        if write.accepted:
            del self.entries[write.accepted.last_index - self.mark.index :]
            self.accepted = write.accepted.term
        if write.compacted and write.compacted.index > self.mark.index:
            assert self.term_at(write.compacted.index) == write.compacted.term
            self.restart(write.compacted)


@dataclass
class Member:
    """One node: its core while it runs, and what survives a crash."""

    node: NodeId
    disk: Disk
    raft: Raft | None = None
    outstanding: deque[Write] = field(default_factory=deque)
    delayed: list[Delayed] = field(default_factory=list)
    durable_id: int = 0
    disk_hangs: bool = False
    applied: list[Entry] = field(default_factory=list)
    flushed: int = 0
    installed: tuple[Mark, Membership] | None = None
    reads: dict[int, Index | None] = field(default_factory=dict)
    boots: int = 0

    @property
    def core(self) -> Raft:
        assert self.raft is not None, f"{self.node} is down"
        return self.raft


@dataclass(frozen=True)
class Flight:
    """A message on its way."""

    sender: NodeId
    to: NodeId
    message: Any


class World:
    """Members 1..size, all voters unless `membership` says otherwise."""

    def __init__(
        self,
        size: int = 3,
        *,
        settings: MemberSettings | None = None,
        membership: Membership | None = None,
        seed: int = 1,
    ) -> None:
        nodes = [NodeId(number) for number in range(1, size + 1)]
        self.settings = settings or MemberSettings()
        self.membership = membership or Membership(tuple(nodes))
        self.seed = seed
        self.now_ms = 1000
        self.flights: deque[Flight] = deque()
        self.cuts: set[tuple[NodeId, NodeId]] = set()
        self.drops: Callable[[Flight], bool] = lambda _flight: False
        self.sent: Counter[str] = Counter()
        self.streams: list[tuple[NodeId, NodeId]] = []
        self.leaders: dict[Term, NodeId] = {}
        self.committed: dict[int, Entry] = {}
        self.read_floors: dict[tuple[NodeId, int], int] = {}
        self.tickets = 0
        self.members = {node: Member(node, Disk(membership=self.membership)) for node in nodes}
        for node in nodes:
            self.restart(node)

    def __getitem__(self, number: int) -> Raft:
        return self.members[NodeId(number)].core

    @property
    def running(self) -> list[Member]:
        return [member for member in self.members.values() if member.raft is not None]

    def adopt_term(self, term: int) -> None:
        """Everybody has heard of this term, durably."""
        for member in self.running:
            self.crash(member.node)
            member.disk.hard_state = HardState(Term(term))
            self.restart(member.node)

    # Crashes.

    def crash(self, number: int) -> None:
        """Lose everything that is not durable."""
        member = self.members[NodeId(number)]
        member.raft = None
        member.outstanding.clear()
        member.delayed.clear()
        member.disk_hangs = False
        member.reads.clear()
        for key in [key for key in self.read_floors if key[0] == member.node]:
            del self.read_floors[key]
        del member.applied[member.flushed :]

    def restart(self, number: int) -> None:
        member = self.members[NodeId(number)]
        disk = member.disk
        if member.installed is not None:
            mark, membership = member.installed
            if disk.term_at(mark.index) != mark.term and mark.index > disk.mark.index:
                disk.mark, disk.entries = mark, []
            if disk.mark == mark:
                disk.membership = membership
        member.boots += 1
        member.durable_id = 0
        member.raft = self._core_of(
            Start(
                me=member.node,
                membership=disk.membership,
                settings=self.settings,
                prng=Prng(self.seed * 1000 + number * 100 + member.boots),
                now_ms=self.now_ms,
                boot=number * 1000 + member.boots,
                recovered=RecoveredLog(disk.hard_state, disk.mark, disk.entries, disk.accepted),
                applied=Index(len(member.applied)),
            )
        )

    def _core_of(self, start: Start) -> Raft:
        return Raft(start)

    # Links.

    def cut(self, one: int, other: int) -> None:
        self.cuts |= {(NodeId(one), NodeId(other)), (NodeId(other), NodeId(one))}

    def isolate(self, *numbers: int) -> None:
        """Cut these members from all the others, but not from each other."""
        for one in numbers:
            for other in self.members:
                if other not in numbers:
                    self.cut(one, other)

    def heal(self) -> None:
        self.cuts.clear()

    # What can happen, one by one.

    def take(self, number: int) -> Ready | None:
        """Carry out what one member asks for now, once."""
        member = self.members[NodeId(number)]
        ready = member.core.ready()
        if ready is None:
            return None
        if ready.write is not None:
            member.outstanding.append(ready.write)
            self._asked(member, ready.write)
        for envelope in ready.send:
            self._send(Flight(member.node, envelope.to, envelope.message))
        member.delayed.extend(ready.send_when_durable)
        for entry in ready.committed:
            self._apply(member, entry)
        for release in ready.reads:
            self._release(member, release)
        self.streams.extend((member.node, peer) for peer in ready.snapshots)
        self.check(member)
        return ready

    def sync(self, number: int) -> bool:
        """Make one member's oldest write durable; False if there is none or its disk hangs."""
        member = self.members[NodeId(number)]
        if not member.outstanding or member.disk_hangs:
            return False
        write = member.outstanding.popleft()
        member.disk.installed = member.installed
        member.disk.apply(write)
        member.durable_id = write.write_id
        for delayed in member.delayed:
            if delayed.write_id <= write.write_id:
                envelope = delayed.envelope
                self._send(Flight(member.node, envelope.to, envelope.message))
        member.delayed = [one for one in member.delayed if one.write_id > write.write_id]
        member.core.persisted(write.write_id, self.now_ms)
        self.check(member)
        return True

    def deliver(self, flight: Flight) -> None:
        receiver = self.members[flight.to]
        if receiver.raft is not None and (flight.sender, flight.to) not in self.cuts:
            receiver.raft.step(flight.sender, flight.message, self.now_ms)
            self.check(receiver)

    def stream(self, sender: NodeId, to: NodeId) -> None:
        """Send a whole snapshot from one member to another."""
        source, target = self.members[sender], self.members[to]
        if source.raft is None:
            return
        if target.raft is None or (sender, to) in self.cuts:
            source.raft.snapshot_sent(to, None, self.now_ms)
            return
        mark = Mark(source.applied[-1].index, source.applied[-1].term)
        # As of the mark, committed: never the newest of the log, which may be taken back.
        membership = newest_membership(source.applied, self.membership)
        if mark.index <= target.raft.commit_index:
            # It refuses: that it knows this to be committed does not mean that it is durable there.
            source.raft.snapshot_sent(to, None, self.now_ms)
            return
        target.applied = list(source.applied)
        target.flushed = mark.index
        target.installed = (mark, membership)
        target.raft.snapshot_installed(mark, membership, self.now_ms)
        self.check(target)
        source.raft.snapshot_sent(to, mark, self.now_ms)

    def compact(self, number: int, index: int) -> None:
        member = self.members[NodeId(number)]
        member.flushed = len(member.applied)
        member.core.compact(Index(index))

    def read(self, number: int) -> int:
        """Ask for a barrier; it must not come back below what anybody has applied by now."""
        self.tickets += 1
        key = (NodeId(number), self.tickets)
        self.read_floors[key] = max(self.committed, default=0)
        self[number].read_barrier(self.tickets, self.now_ms)
        return self.tickets

    # Things in order.

    def take_all(self) -> bool:
        took = [self.take(member.node) for member in self.running]
        return any(ready is not None for ready in took)

    def settle(self, rounds: int = 10_000) -> None:
        """Write, sync, deliver and apply until nothing is left to do at this instant."""
        for _ in range(rounds):
            busy = self.take_all()
            for member in self.running:
                busy |= self.sync(member.node)
            while self.streams:
                self.stream(*self.streams.pop(0))
                busy = True
            # Those sent by these deliveries belong to the next round.
            for _ in range(len(self.flights)):
                self.deliver(self.flights.popleft())
                busy = True
            if not busy:
                return
        raise AssertionError("the members never come to rest")

    def advance(self, ms: int) -> None:
        """Let time pass without anybody noticing."""
        self.now_ms += ms

    def run(self, ms: int) -> None:
        """Let time pass; every deadline is kept, and every message takes no time."""
        end_ms = self.now_ms + ms
        self.settle()
        while self.running:
            due_ms = min(member.core.deadline_ms for member in self.running)
            if due_ms > end_ms:
                break
            self.now_ms = max(self.now_ms, due_ms)
            for member in self.running:
                if member.core.deadline_ms <= self.now_ms:
                    member.core.tick(self.now_ms)
                    self.check(member)
            self.settle()
        self.now_ms = end_ms

    def run_until(self, condition: Callable[[], bool], within_ms: int = 20_000) -> None:
        end_ms = self.now_ms + within_ms
        while not condition():
            assert self.now_ms < end_ms, "it never came true"
            self.run(10)

    def elect(self, number: int) -> None:
        """Make one member lead, now."""
        self.advance(self.settings.election_ms_min)
        self[number].campaign(self.now_ms)
        self.settle()
        assert self[number].role is Role.LEADER, f"{number} lost the election"

    def propose(self, number: int, payload: bytes = b"x") -> Position | Refused:
        return self[number].propose(payload, self.now_ms)

    def write(self, number: int, *payloads: bytes) -> None:
        """Propose and let everything be done."""
        for payload in payloads:
            assert isinstance(self.propose(number, payload), Position)
        self.settle()

    def leader(self) -> int | None:
        """The leader of the highest term, if it is among those that run."""
        leading = [one.core for one in self.running if one.core.role is Role.LEADER]
        newest = max(leading, key=lambda raft: raft.term, default=None)
        return None if newest is None else newest.leader

    def logs_agree(self) -> bool:
        logs = [terms(member.core) for member in self.running]
        return all(log == logs[0] for log in logs)

    def requests(self) -> int:
        """How many messages were sent that are not answers."""
        return sum(n for name, n in self.sent.items() if not name.endswith(("Reply", "Refusal")))

    # The guarantees.

    def check(self, member: Member) -> None:
        raft = member.core
        if raft.role is Role.LEADER:
            first = self.leaders.setdefault(raft.term, member.node)
            assert first == member.node, f"Election Safety: two leaders in term {raft.term}"
        assert raft.compacted.index <= raft.commit_index <= raft.last_index
        assert raft.durable_index <= raft.last_index

    def check_all(self) -> None:
        """What is too slow to check at every step."""
        for member in self.running:
            self._check_log(member)
            if member.core.role is Role.LEADER and member.core.term == max(self.leaders):
                self._check_completeness(member)

    def _check_log(self, member: Member) -> None:
        log = member.core._state.log
        for other in self.running:
            theirs = other.core._state.log
            agree = False
            low = max(log.compacted.index, theirs.compacted.index)
            for index in range(min(log.last_index, theirs.last_index), low, -1):
                same = log.term_at(Index(index)) == theirs.term_at(Index(index))
                assert same or not agree, f"Log Matching: broken at {index}"
                agree = agree or same

    def _check_completeness(self, member: Member) -> None:
        log = member.core._state.log
        for index, entry in self.committed.items():
            if index >= log.compacted.index:
                held = log.term_at(Index(index))
                assert held == entry.term, f"Leader Completeness: {member.node} lacks {index}"

    def _asked(self, member: Member, write: Write) -> None:
        """For worlds that tell what happens."""

    def _apply(self, member: Member, entry: Entry) -> None:
        assert entry.index == len(member.applied) + 1, "entries are applied in order, once"
        first = self.committed.setdefault(entry.index, entry)
        assert first == entry, f"State Machine Safety: two entries at {entry.index}"
        assert member.disk.term_at(entry.index) == entry.term, "applied before it was durable"
        member.applied.append(entry)

    def _release(self, member: Member, release: ReadRelease) -> None:
        floor = self.read_floors.pop((member.node, release.ticket))
        if release.index is not None:
            assert release.index >= floor, "a read was stale"
        member.reads[release.ticket] = release.index

    def _send(self, flight: Flight) -> None:
        self.sent[type(flight.message).__name__] += 1
        self._check_durable(flight)
        if not self.drops(flight):
            self.flights.append(flight)

    def _check_durable(self, flight: Flight) -> None:
        disk, message = self.members[flight.sender].disk, flight.message
        assert disk.hard_state.term >= message.term, "a term left before it was durable"
        if disk.hard_state.term > message.term:
            return
        match message:
            case AppendEntriesReply(_, match_index):
                assert disk.last_index >= match_index, "acknowledged before it was durable"
            case RequestVote():
                assert disk.hard_state.voted_for == flight.sender, "own vote is not durable"
            case RequestVoteReply(_, granted=True):
                assert disk.hard_state.voted_for == flight.to, "the vote is not durable"
            case AppendEntries(entries=entries):
                assert all(entry.term <= message.term for entry in entries)
            case _:
                pass


def newest_membership(entries: Sequence[Entry], otherwise: Membership) -> Membership:
    """The membership that the last of `entries` that has one brings."""
    for entry in reversed(entries):
        if entry.kind is EntryKind.MEMBERSHIP:
            return msgspec.msgpack.decode(entry.payload, type=Membership)
    return otherwise


def terms(raft: Raft) -> list[int]:
    """The terms of a log from its first entry held, e.g. [1, 1, 2]."""
    log = raft._state.log
    return [
        log.mark_at(Index(index)).term
        for index in range(log.compacted.index + 1, log.last_index + 1)
    ]


def entries(*terms: int, after: int = 0) -> tuple[Entry, ...]:
    """Entries of these terms, contiguous."""
    return tuple(
        Entry(Index(after + offset), Term(term), EntryKind.COMMANDS, b"%d" % term)
        for offset, term in enumerate(terms, start=1)
    )


def load_logs(world: World, *logs: list[int]) -> None:
    """Let the members start again from these logs, at the terms they end with."""
    for number, log in enumerate(logs, start=1):
        world.crash(number)
        disk = world.members[NodeId(number)].disk
        disk.entries = list(entries(*log))
        disk.hard_state = HardState(Term(log[-1] if log else 0))
        world.restart(number)


def with_logs(*logs: list[int]) -> World:
    """A world whose members start from these logs."""
    world = World(len(logs))
    load_logs(world, *logs)
    return world
