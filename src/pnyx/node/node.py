"""One pnyx process without its client ports: data directory, log, space, peers, replicas.

The disk is opened before (disk.py); then come peers, formation, replicas. A node votes and stands
only once its cluster has formed; requests that come earlier wait like parked ones.
"""

import asyncio
import secrets
from collections.abc import Collection, Sequence
from typing import Final

import structlog

from pnyx.consensus.formation import Formation, Formed
from pnyx.consensus.membership import Membership
from pnyx.errors import NodeRetired
from pnyx.ids import GroupId, Index, NodeId, Term
from pnyx.machine.directives import AnyDirective
from pnyx.machine.shards import by_slot
from pnyx.node import members
from pnyx.node.batching import Batcher
from pnyx.node.directing import Told as Directed, direct
from pnyx.node.disk import Disk
from pnyx.node.driver import Driver, now
from pnyx.node.forming import Forming
from pnyx.node.members import Told, Wish
from pnyx.node.metrics import Histogram, Metrics
from pnyx.node.settings import Settings
from pnyx.node.starting import Starter
from pnyx.node.status import NOWHERE, GroupStatus, LogPosition, Topology
from pnyx.node.vigil import Vigil
from pnyx.replica.arrival import Progress
from pnyx.replica.fitting import Unfit
from pnyx.replica.migration import FREEZE_MS_BOUNDS, MoveCounters
from pnyx.replica.replica import Replica
from pnyx.replica.requests import NotDone, Reason, Request
from pnyx.replica.roster import CONTROL, Roster
from pnyx.storage.directory import DiskFiles
from pnyx.storage.identity import WAL_NAME
from pnyx.storage.kernelwrite import KernelWrite
from pnyx.storage.wal import WRITE_BYTES_MAX, GroupWrite
from pnyx.transport.codec import BadParcel, Parcel
from pnyx.transport.handshake import Announced, Identity
from pnyx.transport.peers import Peers

FIRST: Final = GroupId(1)
"""The group that every cluster begins with."""
EARLY_COUNT_MAX: Final = 10_000
"""Requests that may wait for the cluster to form."""
EARLY_CHECK_S: Final = 0.1
READY_BEHIND_MAX: Final = 10_000
"""A node with more committed entries to apply than this is catching up, not serving."""
DRAIN_CHECK_S: Final = 0.01

_log = structlog.get_logger("pnyx.node")


class Node:
    """A node, from its opened disk to its end."""

    def __init__(self, settings: Settings, disk: Disk) -> None:
        self.settings = settings
        self.boot: Final = secrets.randbits(63)
        self.me: Final = disk.node
        self.metrics = Metrics()
        self._loop = asyncio.get_running_loop()
        self._failure: asyncio.Future[BaseException] = self._loop.create_future()
        self._disk = disk
        self._batcher = Batcher(
            disk.wal,
            self._loop,
            KernelWrite.open(DiskFiles(disk.directory.path / WAL_NAME), WRITE_BYTES_MAX),
            written=self._written,
            failed=self._fail,
        )
        self._peers = self._make_peers()
        formation = Formation(
            settings.name, self.me, tuple(sorted(settings.nodes)), recorded=disk.formed
        )
        self._is_new = not formation.complete
        self._forming = Forming(
            formation,
            batcher=self._batcher,
            peers=self._peers,
            complete=self._formed,
            stopped=self._fail,
        )
        self._driver: Driver | None = None
        self._early: list[tuple[int, GroupId, Request]] = []
        self._early_timer: asyncio.TimerHandle | None = None
        self._leaders: dict[GroupId, NodeId] = {}
        """Who led each group last: kept during elections, for clients need all slots."""
        self._owners = by_slot([FIRST])
        """By slot, as of the atlas' version that is next."""
        self._version = 0
        self._upkeep: asyncio.Future[None] | None = None
        self._watch()

    # Life.

    async def start(self) -> None:
        """Listen for peers and dial them. Returns before there is a leader.

        Raises:
            AddressTaken: another process listens on the peer port.
            SettingsWrong: the host is not an address of this machine.
        """
        await self._peers.start()
        self._forming.start()
        self._check_early()

    async def stop(self) -> None:
        """Drain: hand leadership over, finish what is under way, flush, close. Bounded in time."""
        deadline = self._loop.time() + self.settings.drain_ms / 1_000 / 2
        driver = self._driver
        if driver is not None and not self._is_broken:
            for group in driver.roster.replicas:
                driver.transfer_leadership(group, None)
            while not _drained(driver.roster) and self._loop.time() < deadline:  # noqa: ASYNC110
                await asyncio.sleep(DRAIN_CHECK_S)
        if driver is not None:
            driver.stop()
        self._forming.stop()
        if self._early_timer is not None:
            self._early_timer.cancel()
        for _, _, request in self._early:
            request.ticket.answered(NotDone(Reason.STOPPING))
        await self._peers.close()
        if not self._is_broken:
            await self._batcher.stop()
            if self._upkeep is not None:
                await self._upkeep
            await asyncio.to_thread(self._disk.close)

    async def failed(self) -> BaseException:
        """Return, one day perhaps, why this node cannot go on."""
        return await asyncio.shield(self._failure)

    # What the gateway asks.

    def submit(self, group: GroupId, request: Request) -> None:
        """Hand over a request for a group; its ticket is answered exactly once, within seconds."""
        if self._driver is not None:
            self._driver.submit(group, request)
        elif len(self._early) < EARLY_COUNT_MAX:
            self._early.append((now().mono_ms, group, request))
        else:
            self._loop.call_soon(request.ticket.answered, NotDone(Reason.OVERLOADED))

    def group_of_slot(self, slot: int) -> GroupId:
        """Return who serves the slot; as long as nobody is known to, who usually would."""
        if self._driver is not None:
            atlas = self._driver.roster.atlas
            if atlas.version != self._version:
                self._version = atlas.version
                self._owners = by_slot([owner or FIRST for owner in atlas.owners] or [FIRST])
        return self._owners[slot]

    def topology(self) -> Topology:
        """Return the nodes with their addresses, the groups, and who serves which shard."""
        settings, driver = self.settings, self._driver
        if driver is None:
            known = members.configured(settings, self.me, self._peers, self._disk.formed)
            return Topology(self.me, known, (), ())
        atlas = driver.roster.atlas
        known = members.members(settings, self.me, self._peers, driver.roster)
        groups = tuple([self._status(driver.roster, group) for group in sorted(atlas.placements)])
        return Topology(
            self.me,
            known,
            groups,
            atlas.owners,
            max(atlas.number, 0),
            moving=frozenset([shard for shard, _ in atlas.undecided()]),
            moved=atlas.moved,
        )

    def controller(self) -> GroupStatus | None:
        """Return what is known of the controller; None until the cluster has formed."""
        return None if self._driver is None else self._status(self._driver.roster, CONTROL)

    def _status(self, roster: Roster, group: GroupId) -> GroupStatus:
        leader = roster.leader(group)
        if leader is not None:
            self._leaders[group] = leader
        membership = members.membership_of(roster, group)
        replica = roster.replicas.get(group)
        placement = roster.atlas.placements.get(group)
        return GroupStatus(
            group,
            self._leaders.get(group),
            Term(0) if replica is None else replica.consensus.term,
            quorum=leader is not None,
            voters=membership.voters,
            outgoing=() if replica is None else replica.consensus.outgoing,
            learners=membership.learners,
            engine=self.settings.consensus if placement is None else placement.engine,
        )

    def position(self, group: GroupId) -> LogPosition:
        """Return where this node's replica of the group is."""
        if self._driver is None or (replica := self._driver.roster.replicas.get(group)) is None:
            return NOWHERE
        consensus = replica.consensus
        commit = consensus.commit_index
        matches = consensus.match_indexes()
        others = [node for node in consensus.membership.voters if node != self.me]
        at_commit = sum(matches.get(node, Index(0)) >= commit for node in others)
        applied, served = replica.group.applied.index, replica.group.shards_served
        served += self._driver.roster.migrations.passing(group, now().mono_ms)
        return LogPosition(consensus.term, commit, applied, at_commit, served)

    def clock_ms(self) -> int:
        """Return this node's wall clock, ms since 1970."""
        return now().wall_ms

    def leads(self, group: GroupId) -> bool:
        """Does this node lead the group, as far as it knows?"""
        replica = None if self._driver is None else self._driver.roster.replicas.get(group)
        return replica is not None and replica.leads

    def disk_bytes(self) -> int:
        """Return what the data directory holds."""
        return self._disk.bytes_held()

    def ready(self) -> tuple[bool, str]:
        """Return whether this node serves, and if not, why."""
        if self._driver is None:
            return False, self._forming.waits_for
        roster = self._driver.roster
        replica = roster.replicas[CONTROL]
        if not replica.consensus.membership.has(self.me):
            return False, "this node is no member yet: it asks for its place (`pnyx node add`)"
        for group in (CONTROL, *sorted(roster.replicas.keys() & roster.atlas.placements.keys())):
            why = _why_not_ready(group, roster.replicas[group])
            if why:
                return False, why
        if roster.atlas.configuration is None:
            room = "; the disk is short of space" if self._disk.wal.low_space() else ""
            return False, f"no group of keys is known yet{room}"
        return True, ""

    def cut_from(self, labels: Collection[str]) -> None:
        """Cut the links to exactly these nodes, both ways; to none: heal.

        Raises:
            SettingsWrong: one of them is not another node of this cluster.
        """
        self._peers.cut_from(labels)

    async def change_members(self, wish: Wish) -> Told:
        """Carry out what an operator asks, if this node leads; takes a minute or so at most."""
        if self._driver is None:
            return Told("not_done", Reason.NO_QUORUM.value)
        return await members.carry_out(wish, self._driver, self._peers, self.me)

    async def direct(self, directive: AnyDirective) -> Directed:
        """Tell the controller, wherever it leads; return what it says, after seconds at most."""
        return await direct(self, directive)

    def moves(self) -> tuple[Sequence[Progress], Sequence[Progress]]:
        """Return the moves to groups that lead here: under way, and the last ones that ended."""
        if self._driver is None:
            return (), ()
        migrations = self._driver.roster.migrations
        return migrations.progress(now().mono_ms), tuple(migrations.counters.ended)

    def memberships(self) -> dict[GroupId, Membership]:
        """Return the newest membership of each group that has a replica here."""
        replicas = {} if self._driver is None else self._driver.roster.replicas
        return {group: replica.consensus.membership for group, replica in replicas.items()}

    # What the transport says. A bug met there must stop the node, not just close a link.

    def received(self, parcel: Parcel) -> None:
        """Take in a peer's parcel.

        Raises:
            BadParcel: what came before a message that no peer of ours sends is done, the rest not.
        """
        try:
            if self._driver is not None:
                self._driver.received(parcel)
            self._forming.received(parcel)
        except Unfit as error:
            raise BadParcel(str(error)) from error
        except BaseException as error:
            self._fail(error)

    def link_up(self, label: str, node: NodeId, boot: int) -> None:
        """Both lanes to `node` are up."""
        _log.debug("link up", peer=label, boot=f"{boot:x}")
        try:
            self._forming.connected(label, node)
            if self._driver is not None:
                self._driver.link_up(node)
        except BaseException as error:
            self._fail(error)

    def link_down(self, node: NodeId) -> None:
        """A lane to `node` broke."""
        try:
            if self._driver is not None:
                self._driver.link_lost(node)
        except BaseException as error:
            self._fail(error)

    # Inside.

    @property
    def _is_broken(self) -> bool:
        return self._failure.done() and not isinstance(self._failure.result(), NodeRetired)

    def _make_peers(self) -> Peers:
        settings = self.settings
        own = settings.me
        announced = Announced(
            own.host, own.gateway_port, own.cluster_port, own.peer_port, own.http_port
        )
        identity = Identity(
            settings.cluster_id,
            self.me,
            settings.name,
            self.boot,
            announced,
            settings.consensus,
        )
        others = {
            label: (address.host, address.peer_port)
            for label, address in settings.nodes.items()
            if label != settings.name
        }
        listen = (own.host, own.peer_port)
        return Peers(identity, listen, others, self, self.clock_ms)

    def _watch(self) -> None:
        metrics = self.metrics
        wal = self._disk.wal
        metrics.watch("wal", lambda: wal.counters)
        metrics.watch("links", lambda: self._peers.counts)
        metrics.gauge("log_segments", "Segments of the log on disk.", lambda: wal.segment_count)
        metrics.gauge("links_up", "Links to other nodes, two a node.", lambda: self._peers.links_up)

    def _formed(self, formed: Formed) -> None:
        """The cluster is formed: this node may vote and campaign from now on."""
        disk = self._disk
        disk.formed = formed
        starter = Starter(self.settings, disk, formed, self.boot)
        roster = Roster(
            me=self.me,
            boot=self.boot,
            limits=self.settings.replica_limits,
            controllers=tuple([node for _, node in formed.nodes]),
            newcomer=starter.newcomer,
            founding=starter.founding(),
            migration=self.settings.migration_limits,
            destroyed=disk.destroyed,
        )
        self.metrics.watch("replica", lambda: roster.counters)
        self.metrics.watch("moves", lambda: roster.migrations.counters)
        self.metrics.gauge("moves_under_way", "Of shards.", lambda: len(self.moves()[0]))
        moves = roster.migrations.counters
        self.metrics.histogram("moves_freeze_seconds", lambda: _freezes(moves))
        self.metrics.gauge("parked", "Requests that wait.", lambda: roster.parked_count)
        self.metrics.gauge("groups", "Groups with a replica here.", lambda: len(roster.replicas))
        self._driver = Driver(
            roster=roster,
            disk=disk,
            batcher=self._batcher,
            peers=self._peers,
            vigil=Vigil(self._loop, self.settings.vigil_us),
            start=starter.start,
            failed=self._fail,
            retired=self._retire,
        )
        for one in self._peers.linked:
            self._driver.link_up(one.node)
        if self._is_new:
            starter.first_election(roster.replicas[CONTROL])
        for _, group, request in self._early:
            self._driver.submit(group, request)
        self._early.clear()
        self._driver.wake()

    def _written(self, writes: list[GroupWrite], formed: Formed | None, seconds: float) -> None:
        try:
            self._take_written(writes, formed, seconds)
        except BaseException as error:
            self._fail(error)

    def _take_written(
        self, writes: list[GroupWrite], formed: Formed | None, seconds: float
    ) -> None:
        self.metrics.synced(seconds)
        if formed is not None:
            self._forming.recorded(formed)
        if writes and self._driver is not None:
            self._driver.written(writes)
        self._batcher.start()
        wal = self._disk.wal
        if self._upkeep is None and (wal.wants_spare() or wal.wants_removal()):
            self._upkeep = self._loop.run_in_executor(None, self._tend_segments)
            self._upkeep.add_done_callback(self._tended)

    def _tend_segments(self) -> None:
        wal = self._disk.wal
        if wal.wants_spare():
            wal.make_spare()
        if wal.wants_removal():
            wal.remove_segments()

    def _tended(self, done: "asyncio.Future[None]") -> None:
        self._upkeep = None
        error = done.exception()
        if error is not None:
            self._fail(error)

    def _check_early(self) -> None:
        if self._driver is not None:
            return
        oldest_ms = now().mono_ms - self.settings.limits.park_ms
        while self._early and self._early[0][0] <= oldest_ms:
            _, _, request = self._early.pop(0)
            request.ticket.answered(NotDone(Reason.NO_QUORUM))
        self._early_timer = self._loop.call_later(EARLY_CHECK_S, self._check_early)

    def _retire(self, why: str) -> None:
        if not self._failure.done():
            self._failure.set_result(
                NodeRetired(
                    why,
                    cause="the members of its group agreed on that; nothing is lost, they have all "
                    "that this node has",
                    next_step=f"keep or delete {self._disk.directory.path}; with an empty data "
                    "directory it starts as a new node",
                )
            )

    def _fail(self, error: BaseException) -> None:
        if self._driver is not None:
            self._driver.halt()
        if not self._failure.done():
            self._failure.set_result(error)


def _freezes(moves: MoveCounters) -> Histogram:
    bounds = tuple([bound / 1000 for bound in FREEZE_MS_BOUNDS])
    found = Histogram(bounds, "Seconds in which nobody served a shard that came here.")
    found.counts, found.total = list(moves.freezes), moves.frozen_ms / 1000
    return found


def _drained(roster: Roster) -> bool:
    alone = [len(one.consensus.membership.voters) == 1 for one in roster.replicas.values()]
    leads = [one.leads for one in roster.replicas.values()]
    return roster.idle and all(only or not led for only, led in zip(alone, leads, strict=True))


def _why_not_ready(group: GroupId, replica: Replica) -> str:
    name = "the controller" if group == CONTROL else f"group g{group}"
    consensus = replica.consensus
    if consensus.membership.has(replica.me) and consensus.leader is None:
        return f"no leader of {name} is known: an election is under way, or there is no quorum"
    behind = consensus.commit_index - replica.group.applied.index
    if behind > READY_BEHIND_MAX:
        return f"{behind} committed entries of {name} are not applied yet"
    return ""
