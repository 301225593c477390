"""One member of one group: consensus x machine, and everybody who waits for an answer.

Plain and synchronous like the floors below. The owner hands in requests, messages and time, calls
`effects` until there are none, and carries them out. Rules of this file:

1. A request is answered exactly once, by one of `Done`, `Elsewhere`, `NotDone`, `Unknown`.
2. Only what surely was not appended is tried again here: refused, superseded, reads.
3. What consensus hands out as committed is applied before anything takes its place (a snapshot).
"""

from collections.abc import Sequence
from typing import Any

from pnyx.consensus.consensus import Consensus
from pnyx.consensus.ready import Entry, EntryKind, Position, Ready, Role
from pnyx.ids import NodeId
from pnyx.machine.commands import Batch, Tick, decode
from pnyx.machine.group import Group
from pnyx.replica.answers import Answers
from pnyx.replica.backlog import Backlog
from pnyx.replica.changes import Change
from pnyx.replica.clock import GroupClock
from pnyx.replica.counters import Counters
from pnyx.replica.diskspace import DiskSpace
from pnyx.replica.effects import NEVER, Effects, Now, Outbound
from pnyx.replica.forwards import Forwards
from pnyx.replica.gathering import Gathering
from pnyx.replica.limits import ReplicaLimits
from pnyx.replica.members import Members
from pnyx.replica.messages import (
    Forward,
    ForwardReply,
    Join,
    Retired,
    SnapshotChunk,
    SnapshotReply,
    SpaceReport,
)
from pnyx.replica.parking import Parking
from pnyx.replica.proposals import Drafted, Proposal, Proposals, drafted
from pnyx.replica.reads import GATHER_COUNT_LEAST, GATHER_MS_MAX, Reads
from pnyx.replica.requests import Done, Elsewhere, NotDone, Reason, Request, Unknown
from pnyx.replica.ticks import Ticks
from pnyx.replica.upkeep import Upkeep
from pnyx.replica.writes import GRACE_MS, Writes

RETRY_MS = 50
"""How often parked requests are tried again while a leader is known but did not take them."""


class Replica:
    """The door: every public method may be called at any time, from one task."""

    def __init__(
        self,
        *,
        me: NodeId,
        boot: int,
        consensus: Consensus,
        group: Group,
        limits: ReplicaLimits,
        joins: str = "",
    ) -> None:
        """Start from what is on disk.

        A node that joins a group that works already is started like any other: `consensus` with an
        empty log, it and `group` with the membership that the group was formed with, which does
        not list it. If another node holds its label, it says so with `joins`, at every start.
        """
        self.me = me
        self.boot = boot
        self.consensus = consensus
        self.group = group
        self.limits = limits
        self.counters = Counters()
        self._clock = GroupClock(me)
        self._proposals = Proposals()
        self._reads = Reads(Gathering(min(limits.gather_ms, GATHER_MS_MAX), GATHER_COUNT_LEAST))
        self._forwards = Forwards(boot)
        self._parking = Parking(limits.parked_bytes)
        self._upkeep = Upkeep(consensus, group, limits, self.counters, boot)
        self._answers = Answers(self.counters)
        self._members = Members(me, consensus, group, limits, self._answers, joins)
        self._writes = Writes(consensus, Gathering(limits.gather_ms, grace_ms=GRACE_MS))
        self._effects = Effects()
        self._backlog = Backlog()
        self._seen: tuple[NodeId | None, Role] = (None, Role.FOLLOWER)
        """Leader and role when last looked at; a change wakes the parked."""
        self._retry_ms = 0
        self._ticks = Ticks(group.next_expiry_ms())
        self._disk = DiskSpace(me)

    # What the outside says.

    def submit(self, requests: Sequence[Request], now: Now) -> None:
        """Take in new requests of clients of this node."""
        until_ms = now.mono_ms + self.limits.park_ms
        for request in requests:
            request.until_ms = until_ms
        self._route(requests, now)

    def awaited(self) -> tuple[int, int]:
        """Return how many reads, and how many writes, must be new for one to be submitted at once.

        Fewer would wait for something that is on its way, and may as well be submitted when that
        comes: a commit, a barrier, more requests. Of stale reads one is enough.
        """
        return self._reads.awaited, self._writes.awaited if self.leads else 0

    def step(self, sender: NodeId, message: Any, now: Now) -> None:
        """Take in a message of another replica of this group."""
        is_forward = type(message) is Forward  # It does not matter whether its sender is a member.
        if self._members.shunned and not is_forward and self._members.turns_away(sender, message):
            return
        match message:
            case Forward():
                self.submit(self._forwards.taken(sender, message), now)
            case ForwardReply():
                self._on_forward_reply(sender, message, now)
            case SnapshotChunk():
                self._upkeep.on_chunk(sender, message, now.mono_ms)
            case SnapshotReply():
                self._upkeep.on_reply(sender, message, now.mono_ms)
            case SpaceReport():
                self._disk.reported(sender, now.mono_ms)
            case Join():
                self._members.on_join(sender, message, now)
            case Retired():
                self._members.on_retired(sender, message)
            case _:
                self.consensus.step(sender, message, now.mono_ms)
        self._look(now)

    def heard(self, sender: NodeId, wall_ms: int, now: Now) -> None:
        """A parcel of `sender` said what its wall clock shows."""
        self._clock.heard(sender, wall_ms, now)
        self._members.heard(sender, now)

    def met(self, node: NodeId) -> None:
        """A link to `node`, member or not, is up."""
        self._members.met(node)

    def tick(self, now: Now) -> None:
        """`deadline_ms` has passed; calling earlier does nothing."""
        mono_ms = now.mono_ms
        self._writes.tick(mono_ms)
        self._reads.tick(mono_ms)
        self.consensus.tick(mono_ms)
        self._look(now)
        # A disk that hangs may answer in an hour: whoever waits for it is told now.
        stalled = self._proposals and self.consensus.stalled
        overdue = self._proposals.all_unknown() if stalled else self._proposals.overdue(mono_ms)
        for proposal in overdue:
            self._answers.give_all(proposal.requests, Unknown())
        for request in self._forwards.overdue(mono_ms):
            self._answers.give(request, Unknown())
        why = Reason.OVERLOADED if self._writes.held else Reason.NO_QUORUM
        for request in self._writes.take_overdue(mono_ms):
            self._answers.give(request, NotDone(why))
        for request in (*self._parking.take_overdue(mono_ms), *self._reads.take_overdue(mono_ms)):
            self._answers.give(request, NotDone(Reason.NO_QUORUM))
        if self._parking and mono_ms >= self._retry_ms:
            self._unpark(now)
        self._upkeep.tend(mono_ms)
        self._members.tend(now)
        self._tend_expiry(now)
        self._tend_space(now)

    def persisted(self, write_id: int, now: Now) -> None:
        """That write, and all before it, is durable."""
        self.consensus.persisted(write_id, now.mono_ms)
        self._look(now)

    def flushed(self, number: int, now: Now) -> None:
        """The flush of that number is durable."""
        # An installed snapshot replaces the state: what is committed is applied before.
        while self._backlog.entries:
            self._execute(now)
        jumped = self._upkeep.flushed(number, now.mono_ms)
        if jumped is not None:
            self._members.jumped(jumped)
            for proposal in self._proposals.jumped(jumped):
                self._answers.give_all(proposal.requests, Unknown())
        self._look(now)

    def link_lost(self, node: NodeId) -> None:
        """A link to `node` broke: forwards on their way are unknown, appends are lost."""
        for request in self._forwards.link_lost(node):
            self._answers.give(request, Unknown())
        self._members.lost(node)
        self.consensus.peer_unreachable(node)

    def unsent(self, to: NodeId, message: Any) -> None:
        """`message` was given up before a byte of it left this node."""
        if isinstance(message, Forward):
            request = self._forwards.answered(to, message.boot, message.number)
            if request is not None:
                self._park(request)

    def tend_disk(self, *, low: bool, behind: bool, urgent: bool) -> None:
        """The disk is nearly full, too far behind for new writes, short of room for the log."""
        self._disk.low_here = self._upkeep.low = low
        self._writes.held = behind
        self._upkeep.release_log(urgent=urgent)

    def transfer_leadership(self, to: NodeId | None, now: Now) -> bool:
        """Start handing leadership over; False if this replica does not lead."""
        started = self.consensus.transfer_leadership(to, now.mono_ms)
        self._look(now)
        return started

    def change_members(self, change: Change, ticket: Any, now: Now) -> None:
        """Begin a change of members; `ticket` is answered once, like that of a request.

        `Done` when the membership that was asked for is committed (or was before), with no
        results. A leader that is removed hands over by itself.
        """
        self._members.change(change, ticket, now)
        self._look(now)

    def stop(self, *, is_gone: bool = False) -> None:
        """The node stops, or the group `is_gone`: whoever still waits is told what can be told."""
        for proposal in self._proposals.all_unknown():
            self._answers.give_all(proposal.requests, Unknown())
        for request in self._forwards.overdue(1 << 62):
            self._answers.give(request, Unknown())
        unstarted = [*self._writes.take(), *self._parking.take_all(), *self._reads.take_all()]
        self._answers.leave(unstarted, is_gone=is_gone)
        self._members.stop()
        self._upkeep.sender.stop_all()

    # What the outside asks.

    @property
    def leads(self) -> bool:
        """Is this replica the leader, as far as it knows?"""
        return self.consensus.role is Role.LEADER

    @property
    def retired(self) -> str:
        """Why this node is no member any more, in a sentence; empty while it may be one.

        The owner carries out what is left of `effects`, then stops the process.
        """
        return self._members.retired

    @property
    def idle(self) -> bool:
        """Does nobody wait for a proposal of ours?"""
        return not self._proposals and not self._writes.waiting

    @property
    def parked_count(self) -> int:
        """How many requests wait for a leader."""
        return len(self._parking)

    @property
    def deadline_ms(self) -> int:
        """When `tick` is wanted next, on the monotone clock."""
        # Nobody is asked who waits for nothing: this is read at the end of each turn.
        return min(
            self.consensus.deadline_ms,
            self._members.deadline_ms,
            self._parking.deadline_ms,
            self._proposals.deadline_ms if self._proposals.by_deadline else NEVER,
            self._forwards.deadline_ms if self._forwards.open else NEVER,
            self._reads.deadline_ms if self._reads.confirmed or self._reads.waiting else NEVER,
            self._retry_ms if self._parking.bytes_held else NEVER,
            self._writes.deadline_ms if self._writes.waiting else NEVER,
            self._upkeep.sender.deadline_ms if self._upkeep.sender.streams else NEVER,
            self._disk.deadline_ms if self._disk.low_here else NEVER,
            self._ticks.deadline_ms if self._ticks.next_expiry_ms and self.leads else NEVER,
            self._backlog.deadline_ms if self._backlog.entries else NEVER,
        )

    def effects(self, now: Now) -> Effects | None:
        """Return one turn's work, or None when there is nothing to do; see `Effects.more`."""
        consensus, writes, reads = self.consensus, self._writes, self._reads
        # As for `deadline_ms`, nobody is asked who waits for nothing.
        if writes.waiting or writes.gathering.under_way:
            writes.look(now.mono_ms)
            if writes.may_leave:
                self._propose(now)
        if reads.waiting and reads.wants_barrier:
            self.counters.read_rounds += 1
            consensus.read_barrier(self._reads.start_barrier(), now.mono_ms)
        effects = self._effects
        ready = consensus.ready()
        if ready is not None:
            effects.more = ready.more
            self._take(ready, now)
            self._look(now)
        is_due = reads.confirmed or self._backlog.is_due(consensus, now.mono_ms)
        if effects.write is None and is_due:
            # A write leaves first: applying what is committed runs beside the disk and the peers.
            self._execute(now)
        effects.answers, self._answers.told = self._answers.told, []
        for outbox in (self._answers.replies, self._upkeep.outbox, self._members.outbox):
            if outbox:
                effects.send += outbox
                outbox.clear()
        effects.flush, self._upkeep.flush = self._upkeep.flush, None
        is_left = self._backlog.is_due(consensus, now.mono_ms, for_reads=bool(reads.confirmed))
        effects.gives_way = is_left and not (self.leads or reads.confirmed)
        effects.more |= bool(
            is_left
            or (effects.write is not None and is_due)
            or (writes.waiting and writes.may_leave)
            or (reads.waiting and reads.wants_barrier)
        )
        if not (effects.more or effects.applied or effects):
            return None
        self._effects = Effects()
        return effects

    def _route(self, requests: Sequence[Request], now: Now) -> None:
        leader, writes = self.consensus.leader, self._writes.waiting
        is_here = leader == self.me
        reads: list[Request] = []
        for request in requests:
            if request.stale:
                reads.append(request)
            elif leader is None:
                self._park(request)
            elif is_here and request.by_log:
                writes.append(request)
            elif not request.by_log and (is_here or request.forward or request.stale_role_ok):
                reads.append(request)
            elif request.forward:
                self.counters.forwarded += 1
                deadline_ms = now.mono_ms + self.limits.outcome_ms
                message = self._forwards.send(request, leader, deadline_ms)
                self._effects.send.append(Outbound(leader, message))
            else:
                self._answers.give(request, Elsewhere(leader))
        self._reads.add(reads)

    def _park(self, *requests: Request) -> None:
        self.counters.parked += len(requests)
        for request in requests:
            if not self._parking.park(request):
                self._answers.give(request, NotDone(Reason.OVERLOADED))

    def _unpark(self, now: Now) -> None:
        self._retry_ms = now.mono_ms + RETRY_MS
        waiting = self._parking.take_all()
        late = [request for request in waiting if request.until_ms <= now.mono_ms]
        self._answers.give_all(late, NotDone(Reason.NO_QUORUM))
        self._route([request for request in waiting if request.until_ms > now.mono_ms], now)

    def _look(self, now: Now) -> None:
        """Notice a change of leader or role."""
        leader, role = self.consensus.leader, self.consensus.role
        if self._seen == (leader, role):
            return
        if role is Role.LEADER and self._seen[1] is not Role.LEADER:
            self.counters.elections_won += 1
            self._clock.committed(self.group.clock_ms, now)
            self._ticks.look(self.group.next_expiry_ms(), now.mono_ms)
        if role is not Role.LEADER:
            self._upkeep.sender.stop_all()
            self._park(*self._writes.take())
        self._members.look(now)
        if leader not in {None, self.me, self._seen[0]}:
            self._disk.follows_another()
        self._seen = (leader, role)
        if leader is not None:
            self._unpark(now)

    # Proposing and applying.

    def _propose(self, now: Now) -> None:
        requests = self._writes.take()
        if self._disk.refuses_writes(self.consensus.membership.voters, now.mono_ms):
            # Time and reads go on: they take little room, and compaction follows them.
            refused = [request for request in requests if request.changes_keys]
            requests = [request for request in requests if not request.changes_keys]
            self._answers.give_all(refused, NotDone(Reason.LOW_SPACE))
            if not requests:
                return
        stamp_ms = self._clock.stamp(self.consensus.membership, now)
        for one in drafted(requests, stamp_ms, self.limits):
            self._propose_batch(one, now)

    def _propose_batch(self, one: Drafted, now: Now) -> None:
        outcome = self.consensus.propose(one.payload, now.mono_ms)
        if isinstance(outcome, Position):
            self.counters.proposals += 1
            self._writes.gathering.left(len(one.requests))
            deadline_ms = now.mono_ms + self.limits.outcome_ms
            self._proposals.add(Proposal(outcome, one.batch, one.requests, deadline_ms))
            return
        if outcome.reason == "full":
            self._answers.give_all(one.requests, NotDone(Reason.OVERLOADED))
        elif outcome.reason == "too large":
            self._answers.give_all(one.requests, NotDone(Reason.TOO_LARGE))
        else:
            self._park(*one.requests)

    def _take(self, ready: Ready, now: Now) -> None:
        effects = self._effects
        effects.write = ready.write
        effects.send += ready.send
        for delayed in ready.send_when_durable:
            effects.send_when_durable.append((delayed.write_id, delayed.envelope))
        self._backlog.add(ready.committed, now.mono_ms)
        for release in ready.reads:
            if release.index is None:
                self._park(*self._reads.refused(release.ticket))
            else:
                self._reads.released(release.ticket, release.index, now.mono_ms)
        self._upkeep.stream_to(ready.snapshots, now.mono_ms)
        if ready.write is not None and self._upkeep.confirmations:
            effects.send_when_durable += self._upkeep.confirm_installs(ready.write)

    def _execute(self, now: Now) -> None:
        if committed := self._backlog.take():
            self._apply(committed)
            self._effects.more |= self._members.applied(committed, now)
            if self.leads:
                self._clock.committed(self.group.clock_ms, now)
                self._ticks.look(self.group.next_expiry_ms(), now.mono_ms)
        self._serve_reads(now)

    def _apply(self, entries: Sequence[Entry]) -> None:
        pairs: list[tuple[Entry, Batch | None]] = []
        proposals: list[Proposal | None] = []
        log_bytes = 0
        for entry in entries:
            done, superseded = self._proposals.committed(entry.index, entry.term)
            for proposal in superseded:
                self.counters.superseded += 1
                self._park(*proposal.requests)
            batch = done.batch if done is not None else None
            if batch is None and entry.kind is EntryKind.COMMANDS:
                batch = decode(entry.payload)
            pairs.append((entry, batch))
            proposals.append(done)
            log_bytes += len(entry.payload)
        results = self.group.apply(pairs)
        counters = self.counters
        counters.entries_applied += len(pairs)
        for done, values in zip(proposals, results, strict=True):
            counters.commands_applied += len(values)
            if done is None:
                continue
            self._answers.give_results(done.requests, values)
            counters.requests_done += len(done.requests)
        self._upkeep.applied(log_bytes)
        self._effects.applied += len(pairs)

    def _serve_reads(self, now: Now) -> None:
        servable = self._reads.servable(self.group.applied.index)
        if not servable:
            return
        estimate_ms = self._clock.estimate(self.consensus.membership, now)
        for request in servable:
            results = self.group.read(request.commands, 0 if request.stale else estimate_ms)
            if results is None:
                # A key is due by our clock, not yet by the committed one. The log decides, so
                # that what one reader has seen expire does not come back for the next.
                request.by_log = True
                self._route((request,), now)
                continue
            self.counters.reads_done += 1
            self._answers.give(request, Done(tuple(results)))

    # Time, space and the disk.

    def _tend_expiry(self, now: Now) -> None:
        if not self.leads:
            return
        estimate_ms = self._clock.estimate(self.consensus.membership, now)
        if self._ticks.due(estimate_ms, now.mono_ms) and self.idle:
            until_ms = now.mono_ms + self.limits.park_ms
            tick = Request(None, (Tick(),), by_log=True, forward=False, until_ms=until_ms)
            self._writes.waiting.append(tick)

    def _tend_space(self, now: Now) -> None:
        if not self._disk.report_due(now.mono_ms):
            return
        leader, voters = self.consensus.leader, self.consensus.membership.voters
        if leader == self.me:
            if 2 * self._disk.low(voters, now.mono_ms) <= len(voters):
                self.transfer_leadership(None, now)
        elif leader is not None:
            self._effects.send.append(Outbound(leader, SpaceReport()))

    def _on_forward_reply(self, sender: NodeId, message: ForwardReply, now: Now) -> None:
        request = self._forwards.answered(sender, message.boot, message.number)
        if request is None:
            return
        match message.answer:
            case Elsewhere() | NotDone(Reason.NO_QUORUM) | NotDone(Reason.STOPPING):
                if request.until_ms > now.mono_ms:
                    self._park(request)
                else:
                    self._answers.give(request, NotDone(Reason.NO_QUORUM))
            case answer:
                self._answers.give(request, answer)
