"""One simulated pnyx process: replicas on its disk, links and clocks, that can be hurt.

It does for them what node/driver.py and node/batching.py do on asyncio, and decides as little: take
in what arrived, carry out effects, keep the order that safety needs. Everything it knows beyond its
disk is lost in a crash.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from pnyx.consensus.formation import ASK_AGAIN_MS, Formation, Formed
from pnyx.consensus.membership import Membership
from pnyx.errors import PnyxError
from pnyx.ids import GroupId, NodeId
from pnyx.lab.alone import Alone
from pnyx.lab.boarding import Board
from pnyx.lab.clock import Clock
from pnyx.lab.disk import Disk, GroupCommit, PowerCut
from pnyx.lab.hands import Hands
from pnyx.lab.seat import Seat
from pnyx.lab.surroundings import CLUSTER, GROUP, Condition, Counts, Surroundings, label_of
from pnyx.lab.wiring import Wiring, parcels_in
from pnyx.replica.changes import Change
from pnyx.replica.effects import Now
from pnyx.replica.replica import Replica
from pnyx.replica.requests import NotDone, Reason, Request
from pnyx.replica.roster import CONTROL, Roster
from pnyx.storage.owner import Identity
from pnyx.storage.watch import Watch
from pnyx.transport.codec import FORMATION, BadParcel, Packet, Parcel
from pnyx.transport.frames import BadFrame
from pnyx.transport.lane import Lane


class Process:
    """A node: its number is for ever, its NodeId as long as its disk, its replica a life."""

    def __init__(self, number: int, label: str, world: Surroundings, disk: Disk) -> None:
        self.number = number
        self.label = label
        self.world = world
        self.disk = disk
        self.clock = Clock()
        self.condition = Condition.DOWN
        self.why_failed = ""
        self.life = 0
        self.stood_ms = 0
        """How long it has stood still, by its own clock."""
        self._paused_ms = 0
        self.wiring = Wiring(number, world)
        self.seats: dict[GroupId, Seat] = {}
        """The replicas of this life, by group."""
        self._identities = 0
        self._read_us = -1
        self._read = Now(0, 0)
        self._waiting: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self.identity = self._draw_identity()
        self._forget()

    @property
    def node(self) -> NodeId:
        """Who this is as far as the cluster is concerned."""
        return self.identity.node

    @property
    def replica(self) -> Replica | None:
        """The replica of the one group of a world that has no other."""
        return None if self.crew is None else self.crew.replicas.get(GROUP)

    @property
    def linked(self) -> dict[int, tuple[int, NodeId]]:
        """By number, the life and the NodeId of the peer that a connection leads to."""
        return self.wiring.linked

    @property
    def counts(self) -> Counts:
        """What it has sent, over all lives."""
        return self.wiring.counts

    @property
    def running(self) -> bool:
        """Does the process exist, paused or not?"""
        return self.condition in (Condition.UP, Condition.PAUSED)

    def now(self) -> Now:
        """Read this node's clocks."""
        now_us = self.world.timeline.now_us
        clock = self.clock
        if now_us != self._read_us or clock.changed:
            self._read_us = now_us
            clock.changed = False
            self._read = clock.read(now_us)
        return self._read

    # Life and death.

    def start(self) -> None:
        """Open the disk and run; it may stop itself at once if the disk is bad."""
        assert not self.running, "a process is started when it is down"
        self._forget()
        self.life += 1
        self.wiring.life = self.life
        self.condition = Condition.UP
        self.world.network.attach(self.number, self._receive)
        try:
            self._open()
        except PnyxError as error:
            self.fail(str(error))
            return
        except PowerCut:
            self.crash(power=True)
            return
        self._turn()

    def crash(self, *, power: bool) -> None:
        """End without warning: killed, or with the whole machine (`power`)."""
        if power:
            self.disk.lose_power()
        else:
            self.disk.lose_process()
        self._end(Condition.DOWN, "power" if power else "kill")

    def fail(self, why: str) -> None:
        """End as a process that may not go on ends: nothing more is said or acknowledged."""
        self.why_failed = why
        self.disk.lose_process()
        self._end(Condition.FAILED, "failed")

    def stop(self) -> None:
        """Answer whoever waits, and end in order."""
        if self.condition is Condition.UP:
            if self.crew is not None:
                self.crew.stop()
                while turns := self.crew.effects(self.now()):
                    for group, effects in turns:
                        self._hands.answer(effects)
                        self._hands.send(group, effects.send)
            self.disk.space.flush()
        self.disk.lose_process()
        self._end(Condition.DOWN, "stop")

    def pause(self) -> None:
        """Stand still; what arrives waits."""
        if self.condition is Condition.UP:
            self.condition = Condition.PAUSED
            self._paused_ms = self.now().mono_ms

    def resume(self) -> None:
        """Go on, with everything that came meanwhile."""
        if self.condition is not Condition.PAUSED:
            return
        self.condition = Condition.UP
        self.stood_ms += self.now().mono_ms - self._paused_ms
        waiting, self._waiting = self._waiting, deque()
        for action, arguments in waiting:
            self._run(action, *arguments)
        self._run(self._nothing)

    def wipe(self) -> None:
        """Lose the disk: whoever starts here next is somebody else."""
        assert not self.running, "a disk is replaced when the process is down"
        self.disk.wipe()
        self.identity = self._draw_identity()

    # What arrives.

    def submit(self, request: Request, group: GroupId = GROUP) -> bool:
        """A client's request to a group arrives; False: nobody listens here."""
        if not self.running:
            return False
        self._run(self._submit, request, group)
        return True

    def link_up(self, peer: "Process") -> None:
        """A connection to `peer` is made."""
        self.linked[peer.number] = (peer.life, peer.node)
        self._run(self._connected, peer.label, peer.node)

    def link_down(self, number: int) -> None:
        """The connection to that peer broke."""
        if number in self.linked:
            _, node = self.linked.pop(number)
            self._run(self._disconnected, node)

    def disk_resumes(self) -> None:
        """The disk is as fast as it was, and what it is at begins anew."""
        if self._commits is not None:
            self._commits.resume()

    def transfer(self, to: NodeId | None, group: GroupId = GROUP) -> None:
        """Ask the leader here to hand over."""
        seat = self.seats.get(group)
        if seat is not None and self.crew is not None and self.condition is Condition.UP:
            seat.replica.transfer_leadership(to, self.now())
            self.crew.touched(group)
            self._run(self._nothing)

    def change(self, change: Change, ticket: Any) -> None:
        """Ask the replica here for a change of the members."""
        self._run(self._change, change, ticket)

    def start_value(self, payload: bytes) -> bool:
        """Propose one entry at this replica's consensus, past the replica's queues; did it take it?

        Raft's own scenarios speak of `Start(command)`: one entry a command, whatever is under way.
        """
        if self.condition is not Condition.UP or self.replica is None:
            return False
        outcome = self.replica.consensus.propose(payload, self.now().mono_ms)
        self._run(self._nothing)
        return hasattr(outcome, "index")

    def recast(self, target: Membership) -> None:
        """Propose `target` at this replica's consensus, past the replica's own rules."""
        if self.replica is not None and self.condition is Condition.UP:
            self._run(self.replica.consensus.change_membership, target, self.now().mono_ms)

    # Inside: what a life consists of.

    def _draw_identity(self) -> Identity:
        self._identities += 1
        seed = self.world.chance.seed("node id", self.number, self._identities)
        node = NodeId(1 + seed % (2**63 - 1))
        self.world.number_of[node] = self.number
        return Identity(CLUSTER, self.label, node)

    def _forget(self) -> None:
        self.seats = {}
        self.crew: Alone | Roster | None = None
        """Who turns here; nobody before the cluster has formed."""
        self._board = Board(self)
        self._formation: Formation | None = None
        self._recording: Formed | None = None
        self._newcomer = False
        """Was the cluster formed without this node?"""
        self._commits: GroupCommit | None = None
        self._hands = Hands(self)
        self._timer_us = 0
        self._watch = Watch()
        self._waiting = deque()
        self.wiring.linked.clear()

    def _end(self, condition: Condition, how: str) -> None:
        self.condition = condition
        self.world.network.detach(self.number)
        self._forget()
        self.world.watch.ended(self, how)

    def _open(self) -> None:
        world = self.world
        wal, formed = self._board.open()
        self.identity = Identity(CLUSTER, self.label, self.node, started=True)
        self._commits = GroupCommit(self.disk, wal, world.timeline, self._synced_event)
        self._hands.commits = self._commits
        if world.layout is not None and self.number not in world.layout.controllers:
            # Groups place the node that they know: one whose disk was lost asks for its place.
            self._man(world.founders(), newcomer=self._identities > 1)
            return
        self._formation = Formation(
            self.label, self.node, tuple(sorted({*world.labels, self.label})), recorded=formed
        )
        self._tend_formation()
        self._arm_asking()

    def _arm_asking(self) -> None:
        if self.crew is None:
            delay_us, timeline = ASK_AGAIN_MS * 1_000, self.world.timeline
            timeline.after_us(delay_us, "ask", self.number, self._ask_again, self.life)

    def _ask_again(self, life: int) -> None:
        if life == self.life and self.crew is None:
            self._run(self._asked_again)

    def _asked_again(self) -> None:
        assert self._formation is not None, "who has no crew forms"
        self._formation.ask_again(node for _, node in self.linked.values())
        self._tend_formation()
        self._arm_asking()

    def _tend_formation(self) -> None:
        formation, commits = self._formation, self._commits
        assert formation is not None, "a running process has one"
        assert commits is not None, "a running process has a log"
        for to, message in formation.send:
            number, packets = self.world.number_of[to], (Packet(FORMATION, message),)
            self.wiring.post(self.node, number, Lane.RAFT, packets, self.now().wall_ms)
        formation.send.clear()
        if formation.record is not None and formation.record != self._recording:
            self._recording = formation.record
            commits.record(formation.record)
            commits.start()
        if formation.stopped:
            self.fail(formation.stopped)
        elif formation.complete and formation.recorded is not None and self.crew is None:
            self._found(formation.recorded, joins=formation.joins)

    def _found(self, formed: Formed, *, joins: bool) -> None:
        founder = self._board.groups[GROUP if self.world.layout is None else CONTROL]
        if founder.membership is None:
            founder.membership = formed.membership()
        self._man(formed.membership().voters, newcomer=joins)

    def _man(self, controllers: tuple[NodeId, ...], *, newcomer: bool) -> None:
        """Let those who are on the disk begin; `controllers` are the founders."""
        world, self._newcomer = self.world, newcomer
        if world.layout is None:
            self.crew = Alone(self.now)
        else:
            self.crew = Roster(
                me=self.node,
                boot=world.chance.seed("boot", self.number, self.life),
                limits=world.limits,
                controllers=controllers,
                newcomer=newcomer,
                migration=world.migration,
            )
            for _, peer in self.linked.values():
                self.crew.met(peer, self.now())
        for group in sorted(self._board.groups):
            self._seat(self.crew, group, self._board.replica(group, joins=newcomer))

    def _seat(self, crew: Alone | Roster, group: GroupId, replica: Replica) -> None:
        seat = Seat(self, group, replica, self.number, self.label, self.node, self.life)
        self.seats[group] = seat
        crew.add(group, replica, self.now())
        if self.world.layout is None:
            for _, peer in self.linked.values():
                replica.met(peer)
        self.world.watch.started(seat)

    def _take_aboard(self, crew: Alone | Roster) -> bool:
        """Start the replicas that are wanted here; return whether there were any."""
        wanted = crew.missing()
        for missing in wanted:
            self._board.found(missing)
            replica = self._board.replica(missing.group, joins=self._newcomer)
            self._seat(crew, missing.group, replica)
            if missing.campaigns:
                replica.consensus.campaign(self.now().mono_ms)
        return bool(wanted)

    # Inside: events. Each runs through `_run`, which keeps the dead and the paused from acting.

    def _run(self, action: Callable[..., object], *arguments: Any) -> None:
        if self.condition is not Condition.UP:
            if self.condition is Condition.PAUSED:
                self._waiting.append((action, arguments))
            return
        try:
            action(*arguments)
            self._turn()
        except PowerCut:
            self.crash(power=True)
        except PnyxError as error:
            self.fail(str(error))
        if self.condition is Condition.UP:
            for seat in self.seats.values():
                self.world.watch.touched(seat)

    def _nothing(self) -> None:
        """Only turn the crank."""

    def _submit(self, request: Request, group: GroupId) -> None:
        self.world.watch.submitted(self, request)
        if self.crew is None:
            # A node lets such requests wait for a while; here the client waits and asks again.
            self.world.watch.answered(self, request.ticket, NotDone(Reason.NO_QUORUM))
        else:
            self.crew.submit(group, (request,), self.now())

    def _change(self, change: Change, ticket: Any) -> None:
        if self.replica is None:
            self.world.watch.answered(self, ticket, NotDone(Reason.NO_QUORUM))
        else:
            self.replica.change_members(change, ticket, self.now())

    def _connected(self, label: str, node: NodeId) -> None:
        if self._formation is not None:
            self._formation.connected(label, node)
        if self.crew is not None:
            self.crew.met(node, self.now())
        if self._formation is not None:
            self._tend_formation()

    def _disconnected(self, node: NodeId) -> None:
        if self.crew is not None:
            self.crew.link_lost(node)

    def _receive(self, source: int, content: bytes) -> None:
        if self.wiring.is_ours(source, content):
            self._run(self._received, source, content)

    def _received(self, source: int, content: bytes) -> None:
        try:
            for parcel in parcels_in(content):
                self._take(parcel)
        except (BadFrame, BadParcel):
            # What a real link does at the first wrong byte: close.
            self.link_down(source)
            self.world.broken(self.number, source)

    def _take(self, parcel: Parcel) -> None:
        if parcel.to != self.identity.node:
            return
        now, sender = self.now(), parcel.sender
        if self.crew is not None:
            self.crew.heard(sender, parcel.wall_ms)
        for packet in parcel.packets:
            if packet.group == FORMATION:
                if self._formation is not None:
                    label = label_of(self.world.number_of[sender])
                    self._formation.step(label, sender, packet.message)  # type: ignore[arg-type]
                    self._tend_formation()
            elif self.crew is not None:
                self.crew.step(packet.group, sender, packet.message, now)

    def _synced_event(self, commits: GroupCommit, number: int) -> None:
        if commits is self._commits:
            self._run(self._synced, commits, number)

    def _synced(self, commits: GroupCommit, number: int) -> None:
        if self.disk.hung or number != commits.number or commits is not self._commits:
            # A hang or a pause came in between: that sync was overtaken by another one.
            return
        writes, formed = commits.finish()
        self.world.watch.durable(self, writes)
        if formed is not None and self._formation is not None:
            self._recording = None
            self._formation.recorded_durably(formed)
            self._tend_formation()
        for group, write_id in {each.group: each.write.write_id for each in writes}.items():
            self._hands.persisted(group, write_id)
        commits.start()
        commits.tend_segments()

    def flush_in(self, delay_us: int, group: GroupId, number: int) -> None:
        """Flush the space for a replica, after so long."""
        timeline, place = self.world.timeline, self.number
        timeline.after_us(delay_us, "flushed", place, self._flushed, self.life, group, number)

    def _flushed(self, life: int, group: GroupId, number: int) -> None:
        if life == self.life and self.running:
            self._run(self._end_flush, group, number)

    def _end_flush(self, group: GroupId, number: int) -> None:
        assert self.crew is not None, "only a replica asks for flushes"
        self.disk.space.flush()
        self.crew.flushed(group, number, self.now())

    # Inside: the crank, as in node/driver.py.

    def _turn(self) -> None:
        crew = self.crew
        if crew is None:
            return
        now = self.now()
        if self.world.timeline.now_us >= self._timer_us:
            crew.tick(now)
        assert self._commits is not None, "a replica has a log"
        if sight := self._watch.look(self._commits.wal, now.mono_ms):
            crew.tend_disk(low=sight.low, behind=False, urgent=sight.urgent)
        is_busy = True
        while is_busy:
            turns = crew.effects(now)
            for group, effects in turns:
                self._hands.carry_out(group, effects)
            is_busy = self._take_aboard(crew) or bool(turns)
        for seat in self.seats.values():
            if seat.replica.retired:
                self.fail(seat.replica.retired)
                return
        self._arm(crew, now)

    def _arm(self, crew: Alone | Roster, now: Now) -> None:
        due_us = self.clock.when_us(max(crew.deadline_ms, now.mono_ms + 1))
        timeline = self.world.timeline
        if timeline.now_us < self._timer_us <= due_us:
            return
        self._timer_us = due_us
        timeline.at(due_us, "timer", self.number, self._ring, self.life, due_us)

    def _ring(self, life: int, due_us: int) -> None:
        if life == self.life and due_us == self._timer_us:
            self._run(self._nothing)
