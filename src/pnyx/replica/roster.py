"""All replicas of one node, and everything that follows from the controller's maps for it.

A node's driver and a process of the Lab turn the same roster and decide nothing. How an owner turns
it:

1. `add` a replica for each group that is on disk, the controller's first; `replica.met` and the
   like are called by the roster alone.
2. Call what happens: `submit`, `heard` and then `step` for each packet of a parcel, `met`,
   `link_lost`, `unsent`, `persisted`, `flushed`; `tick` when `deadline_ms` has come.
3. Then call `effects` until it returns nothing (or break off and go on in the next turn: nothing is
   lost). Each pair is one group's turn, carried out in the order of replica/effects.py; the writes
   of all pairs may share one sync, the messages to one node one parcel.
4. Then take `missing`: for each group in it write the membership into the group's meta row
   (`Group.found`), flush the space, start a replica from it, and `add` that. And take `doomed`: the
   replica is out of the roster already; destroy its log and its rows.

Only groups with something to do are visited in a turn: those that something happened to, and those
whose deadline has come, which lie in a heap.
"""

from collections.abc import Collection, Mapping, Sequence
from heapq import heappop, heappush
from typing import Any, Final

from pnyx.consensus.member.messages import TimeoutNow
from pnyx.ids import GroupId, NodeId
from pnyx.machine.configuration import NOBODY, Placement
from pnyx.replica.atlas import Atlas
from pnyx.replica.chorus import TOGETHER_MIN, Chorus
from pnyx.replica.counters import Counters, total
from pnyx.replica.effects import NEVER, Effects, Now, Outbound
from pnyx.replica.envoy import Envoy
from pnyx.replica.fitting import check_fits
from pnyx.replica.founding import Founding, Missing, membership_of
from pnyx.replica.homing import Homing
from pnyx.replica.limits import MigrationLimits, ReplicaLimits
from pnyx.replica.messages import (
    Beats,
    BeatsHeard,
    Forward,
    ForwardReply,
    News,
    ReplicaMessage,
    SpaceReport,
    Subscribe,
)
from pnyx.replica.migrations import Migrations
from pnyx.replica.newsroom import Newsroom
from pnyx.replica.replica import Replica
from pnyx.replica.requests import NotDone, Reason, Request

CONTROL: Final = NOBODY
"""The controller's group."""
_OF_NO_GROUP: Final = frozenset({Subscribe, News, Beats, BeatsHeard})
LOOK_MS: Final = 50
"""With many groups, deadlines are looked at at multiples of this, and exactly if they hold."""
TEND_MS: Final = 1_000
"""How often the roster looks after what no event tells."""


class Roster:
    """One node's replicas, envoys and atlas: every public method from one task."""

    def __init__(
        self,
        *,
        me: NodeId,
        boot: int,
        limits: ReplicaLimits,
        controllers: Sequence[NodeId],
        newcomer: bool = False,
        founding: Founding | None = None,
        destroyed: Collection[GroupId] = (),
        migration: MigrationLimits | None = None,
    ) -> None:
        """Start without replicas.

        Args:
            me: this node.
            boot: random, another one at each start.
            limits: of each replica and envoy.
            controllers: members of the controller, as far as known.
            newcomer: was the cluster formed without this node? Then it wants its place in every
                group; each of its replicas is to be started with `joins`.
            founding: what to begin with if nothing was founded yet; None: leave that to others.
            destroyed: groups whose replica here was destroyed once: they never come back.
            migration: how fast shards come to the groups that lead here.
        """
        self.me = me
        self.atlas = Atlas(retired=frozenset(destroyed))
        self.replicas: dict[GroupId, Replica] = {}
        self._boot = boot
        self._limits = limits
        self._newcomer = newcomer
        self._envoys: dict[GroupId, Envoy] = {}
        self._past = Counters()
        """What replicas that are gone have done."""
        self._newsroom = Newsroom(self.atlas, founding, tuple(controllers))
        self._homing = Homing(me)
        self._chorus = Chorus(self.replicas)
        self.migrations = Migrations(self.atlas, migration or MigrationLimits())
        self._linked: dict[NodeId, None] = {}
        self._walls: dict[NodeId, int] = {}
        self._dirty: dict[GroupId, None] = {}
        self._due: dict[GroupId, int] = {}
        """When a group is looked at again: of its entries in the heap only this one counts."""
        self._heap: list[tuple[int, GroupId]] = []
        self._tend_ms = 0
        self._version = 0
        """Of the atlas, when what follows from it was done."""
        self._control_moved = True
        """May there be news of the controller's replica here?"""
        self._wants_looked_at = False
        """May there be groups in the atlas that are to have a replica here?"""
        self._left: list[tuple[GroupId, Effects]] = []
        """To be handed out with the next effects."""
        self._missing: list[Missing] = []
        self._asked: set[GroupId] = set()
        """Groups that were missing once: told already, or here."""
        self._doomed: list[GroupId] = []

    # What the outside says.

    def add(self, group: GroupId, replica: Replica, now: Now) -> None:
        """`group` has a replica here from now on."""
        assert group not in self.replicas, "a node has one replica of a group"
        self.replicas[group] = replica
        self._asked.add(group)
        for node in self._linked:
            replica.met(node)
        envoy = self._envoys.get(group)
        if envoy is not None:
            replica.submit(envoy.give_up(), now)
            self._collect(group, envoy.effects(now), now)
        self._dirty[group] = None

    def submit(self, group: GroupId, requests: Sequence[Request], now: Now) -> None:
        """Take in requests to `group`, which is here or elsewhere; each is answered once."""
        self._desk(group).submit(requests, now)
        self._dirty[group] = None

    def heard(self, sender: NodeId, wall_ms: int) -> None:
        """A parcel of `sender`, whose packets come next, said what its wall clock shows."""
        self._walls[sender] = wall_ms

    def step(self, group: GroupId, sender: NodeId, message: Any, now: Now) -> None:
        """Take in a message of another node about `group`.

        Raises:
            Unfit: nothing was done; close the link that it came on.
        """
        kind = type(message)
        if kind in _OF_NO_GROUP:
            self._step_node(sender, message, now)
            return
        replica = self.replicas.get(group)
        check_fits(sender, message, replica)
        envoy = self._envoys.get(group)
        if kind is ForwardReply and envoy is not None and message.boot == envoy.boot:
            envoy.step(sender, message, now)
        elif replica is None or (kind is Forward and self._member(group) is None):
            self._turn_away(group, sender, message)
            return
        else:
            if kind is TimeoutNow:
                self._homing.handed(group, now.mono_ms)
            elif kind is SpaceReport:
                self._homing.space_low(sender, now.mono_ms)
            replica.heard(sender, self._walls[sender], now)
            replica.step(sender, message, now)
        self._dirty[group] = None

    def _step_node(self, sender: NodeId, message: Any, now: Now) -> None:
        """Take in what `sender` says of many groups at once."""
        match message:
            case Beats():
                for group, beat in self._chorus.hear(sender, message, self._walls[sender], now):
                    self.step(group, sender, beat, now)
            case BeatsHeard():
                walls = self._walls
                for group, reply in self._chorus.answered(sender, message, walls[sender], now):
                    self.step(group, sender, reply, now)
            case _:
                self._newsroom.step(sender, message, now.mono_ms)
                self._control_moved = True

    def met(self, node: NodeId, now: Now) -> None:
        """A link to `node`, member of anything or not, is up."""
        self._linked[node] = None
        self._homing.met(node, now.mono_ms)
        self._newsroom.linked = self._linked
        for group, desk in self._desks():
            desk.met(node)
            self._dirty[group] = None
        self._tend_ms = 0

    def link_lost(self, node: NodeId) -> None:
        """A link to `node` broke."""
        self._linked.pop(node, None)
        self._homing.lost(node)
        for group, desk in self._desks():
            desk.link_lost(node)
            self._dirty[group] = None
        self._tend_ms = 0

    def unsent(self, group: GroupId, to: NodeId, message: Any) -> None:
        """`message` about `group` was given up before a byte of it left this node."""
        envoy = self._envoys.get(group)
        if isinstance(message, Forward) and envoy is not None and message.boot == envoy.boot:
            envoy.unsent(to, message)
        elif group in self.replicas:
            self.replicas[group].unsent(to, message)
        self._dirty[group] = None

    def tick(self, now: Now) -> None:
        """`deadline_ms` has passed; calling earlier does nothing."""
        now_ms = now.mono_ms
        due: list[GroupId] = []
        while self._heap and self._heap[0][0] <= now_ms:
            due_ms, group = heappop(self._heap)
            if self._due.get(group) == due_ms:
                del self._due[group]
                due.append(group)
        said = self._chorus.beat(due, now) if len(due) >= TOGETHER_MIN else ()
        for group in due:
            # The deadline may have moved away since it was noted.
            if group in said or all(desk.deadline_ms > now_ms for desk in self._at(group)):
                self._note(group, now.mono_ms)
                continue
            self._dirty[group] = None
            for desk in self._at(group):
                desk.tick(now)
        self.migrations.tick(now_ms)
        if now_ms >= self._tend_ms:
            self._tend_ms = now_ms + TEND_MS
            self._tend(now)

    def persisted(self, group: GroupId, write_id: int, now: Now) -> None:
        """That write of `group`, and all before it, is durable."""
        replica = self.replicas.get(group)
        if replica is not None:
            replica.persisted(write_id, now)
            self._dirty[group] = None

    def flushed(self, group: GroupId, number: int, now: Now) -> None:
        """The flush that `group` asked for under that number is durable."""
        replica = self.replicas.get(group)
        if replica is not None:
            replica.flushed(number, now)
            self._dirty[group] = None

    def tend_disk(self, *, low: bool, behind: bool, urgent: Sequence[GroupId]) -> None:
        """Say how the disk is, once a second or so.

        Args:
            low: it is nearly full.
            behind: the space cannot keep up.
            urgent: groups whose log takes room that is needed, tail included.
        """
        for group, replica in self.replicas.items():
            replica.tend_disk(low=low, behind=behind, urgent=low or group in urgent)
            if low or behind or group in urgent or not replica.idle:
                self._dirty[group] = None

    def touched(self, group: GroupId) -> None:
        """The owner called a method of that group's replica itself: it is to be visited."""
        self._dirty[group] = None

    def stop(self) -> None:
        """The node stops: whoever still waits is told what can be told."""
        for group, desk in self._desks():
            desk.stop()
            self._dirty[group] = None

    # What the outside asks.

    @property
    def deadline_ms(self) -> int:
        """When `tick` is wanted next, on the monotone clock."""
        heap = self._heap
        while heap and self._due.get(heap[0][1]) != heap[0][0]:
            heappop(heap)
        due_ms = min(self.migrations.deadline_ms, self._tend_ms)
        return min(heap[0][0], due_ms) if heap else due_ms

    @property
    def busy(self) -> bool:
        """May `effects`, called once more, find something to do?"""
        return bool(self._dirty or self._control_moved or self.migrations.is_woken)

    @property
    def idle(self) -> bool:
        """Does nobody wait for a proposal of ours?"""
        return all(replica.idle for replica in self.replicas.values())

    @property
    def parked_count(self) -> int:
        """How many requests wait for a leader, here or elsewhere."""
        return sum(desk.parked_count for _, desk in self._desks())

    @property
    def counters(self) -> Counters:
        """What all replicas and envoys have done together, those that are gone included."""
        return total(self._past, *[desk.counters for _, desk in self._desks()])

    def leader(self, group: GroupId) -> NodeId | None:
        """Return who leads `group` as far as known here."""
        replica = self._member(group)
        if replica is not None:
            return replica.consensus.leader
        envoy = self._envoys.get(group)
        return None if envoy is None else envoy.leader

    def effects(self, now: Now) -> list[tuple[GroupId, Effects]]:
        """Return one turn's work of each group that has any; nothing when there is none."""
        self._follow(now)
        found, self._left = self._left, []
        for group in list(self._dirty):
            del self._dirty[group]
            self._control_moved |= group == CONTROL
            for desk in self._at(group):
                effects = desk.effects(now)
                if effects is not None:
                    if effects.more:
                        self._dirty[group] = None
                    self._sift(effects, now)
                    found.append((group, effects))
            self.migrations.look(group, self.replicas.get(group))
            self._note(group, now.mono_ms)
        news, beats = self._newsroom.take_outbox(), self._chorus.take()
        if news:
            found.append((CONTROL, Effects(send=news)))
        if beats is not None:
            found.append((CONTROL, beats))
        return found

    def missing(self) -> list[Missing]:
        """Return the groups that are to have a replica here; each is told once."""
        missing, self._missing = self._missing, []
        return missing

    def doomed(self) -> list[GroupId]:
        """Return the groups whose replica here is to be destroyed; each is told once."""
        doomed, self._doomed = self._doomed, []
        return doomed

    # Inside.

    def _desk(self, group: GroupId) -> Replica | Envoy:
        return self._member(group) or self._envoy(group)

    def _member(self, group: GroupId) -> Replica | None:
        # A newcomer has a replica of each group, to ask for its label's place. One that has none
        # never hears who leads: what is asked of it would wait for ever.
        replica = self.replicas.get(group)
        if replica is None or replica.retired or not replica.consensus.membership.has(self.me):
            return None
        return replica

    def _envoy(self, group: GroupId) -> Envoy:
        envoy = self._envoys.get(group)
        if envoy is None:
            # Another boot than the replicas': both number their forwards from 1.
            envoy = Envoy(self.me, self._boot ^ 1, self._members(group), self._limits)
            self._envoys[group] = envoy
            for node in self._linked:
                envoy.met(node)
            if group in self.atlas.retired:
                envoy.retire()
        return envoy

    def _members(self, group: GroupId) -> tuple[NodeId, ...]:
        if group in self.replicas:
            return self.replicas[group].consensus.membership.voters
        if group == CONTROL:
            return self._newsroom.controllers
        placement = self.atlas.placements.get(group)
        return () if placement is None else tuple([each.node for each in placement.members])

    def _at(self, group: GroupId) -> list[Replica | Envoy]:
        both: tuple[Mapping[GroupId, Replica | Envoy], ...] = (self.replicas, self._envoys)
        return [desks[group] for desks in both if group in desks]

    def _desks(self) -> list[tuple[GroupId, Replica | Envoy]]:
        return [*self.replicas.items(), *self._envoys.items()]

    def _note(self, group: GroupId, now_ms: int) -> None:
        """Note when a group is wanted next; a later time is found out when the noted one comes."""
        due_ms = min([desk.deadline_ms for desk in self._at(group)], default=NEVER)
        if len(self._due) >= TOGETHER_MIN and due_ms - due_ms % LOOK_MS > now_ms:
            # A quiet follower's deadline moves on with every beat: all are looked at together, in a
            # turn that there is anyway, instead of each in one of its own.
            due_ms -= due_ms % LOOK_MS
        if due_ms < self._due.get(group, NEVER):
            self._due[group] = due_ms
            heappush(self._heap, (due_ms, group))

    def _sift(self, effects: Effects, now: Now) -> None:
        self._newsroom.sift(effects)
        self.migrations.sift(effects, now.mono_ms)

    def _collect(self, group: GroupId, effects: Effects | None, now: Now) -> None:
        if effects is not None:
            self._sift(effects, now)
            self._left.append((group, effects))

    def _turn_away(self, group: GroupId, sender: NodeId, message: Any) -> None:
        """Somebody speaks to a replica that is not here, or asks one that is no member."""
        if isinstance(message, Forward):
            answer = ForwardReply(message.boot, message.number, NotDone(Reason.NO_QUORUM))
            self._left.append((group, Effects(send=[Outbound(sender, answer)])))
        elif isinstance(message, ReplicaMessage) or group in self._asked:
            return
        elif group in self.atlas.placements:
            # Consensus speaks to members alone: somebody counts this node in.
            self._want(self.atlas.placements[group], campaigns=False)

    def _tend(self, now: Now) -> None:
        control = self.replicas.get(CONTROL)
        is_member = control is not None and control.consensus.membership.has(self.me)
        self._newsroom.tend(now.mono_ms, is_member=is_member)
        for group, node in self._homing.due(self.replicas, self.atlas.placements, now.mono_ms):
            self.replicas[group].transfer_leadership(node, now)
            self._dirty[group] = None

    def _follow(self, now: Now) -> None:
        """Do what follows from the turn before: it may give groups something to do."""
        if self._control_moved or CONTROL in self._dirty:
            self._control_moved = False
            if CONTROL in self.replicas:
                self._newsroom.look(self.replicas[CONTROL])
        if self.atlas.version != self._version:
            self._version = self.atlas.version
            self._wants_looked_at = True
            self._follow_atlas(now)
        if self._wants_looked_at and self._is_current():
            self._wants_looked_at = False
            self._look_for_missing()
        for errand, commands in self._newsroom.take_errands():
            writes = any(command.writes for command in commands)
            self.submit(CONTROL, (Request(errand, commands, writes, forward=True),), now)
        if self.migrations.is_woken:
            for ask in self.migrations.take_asks(now.mono_ms):
                request = Request(ask, ask.commands, ask.by_log, forward=True, stale=ask.stale)
                self.submit(ask.group, (request,), now)

    def _follow_atlas(self, now: Now) -> None:
        atlas = self.atlas
        for group, envoy in self._envoys.items():
            envoy.know(self._members(group))
            if group in atlas.retired:
                envoy.retire()
            self._dirty[group] = None
        for group in sorted(atlas.retired & self.replicas.keys()):
            replica = self.replicas.pop(group)
            replica.stop(is_gone=True)
            # What it still wants to write and flush has nowhere to go any more.
            effects = replica.effects(now)
            if effects is not None:
                told = Effects(send=effects.send, answers=effects.answers)
                self._collect(group, told, now)
            self._past = total(self._past, replica.counters)
            self.migrations.look(group, None)
            self._doomed.append(group)

    def _is_current(self) -> bool:
        """Is the atlas more than a stage of the log that is being replayed here after a start?

        On the way groups that are gone for long would be made once more.
        """
        replica = self.replicas.get(CONTROL)
        if replica is None or not replica.consensus.membership.has(self.me):
            return True
        consensus = replica.consensus
        return (
            consensus.leader is not None and replica.group.applied.index >= consensus.commit_index
        )

    def _look_for_missing(self) -> None:
        for group, placement in sorted(self.atlas.placements.items()):
            listed = [member.node for member in placement.members]
            if group not in self._asked and (self._newcomer or self.me in listed):
                self._want(placement, campaigns=listed[0] == self.me)

    def _want(self, placement: Placement, *, campaigns: bool) -> None:
        if placement.group in self.atlas.retired:
            return
        self._asked.add(placement.group)
        founded, shards = membership_of(placement.members), self.atlas.shards
        self._missing.append(Missing(placement.group, founded, placement.engine, shards, campaigns))
