"""One pnyx process without its client ports: data directory, log, space, peers, replica.

The disk is opened before (disk.py); then come peers, formation, replica. A node votes and campaigns
only once its cluster has formed; requests that come earlier wait like parked ones.
"""

import asyncio
import secrets
from collections.abc import Collection
from typing import Final

import structlog

from pnyx.consensus import engines
from pnyx.consensus.formation import Formation, Formed
from pnyx.consensus.membership import Membership
from pnyx.errors import NodeRetired
from pnyx.ids import GroupId, Index, NodeId, Term
from pnyx.machine.shards import SHARDS_DEFAULT
from pnyx.node import members
from pnyx.node.batching import Batcher
from pnyx.node.disk import GROUP, Disk
from pnyx.node.driver import Driver, now
from pnyx.node.forming import Forming
from pnyx.node.members import Told, Wish
from pnyx.node.metrics import Metrics
from pnyx.node.settings import Settings
from pnyx.node.status import NOWHERE, GroupStatus, LogPosition, Topology
from pnyx.prng import Prng
from pnyx.replica.replica import Replica
from pnyx.replica.requests import NotDone, Reason, Request
from pnyx.storage.wal import GroupWrite
from pnyx.transport.codec import Parcel
from pnyx.transport.handshake import Announced, Identity
from pnyx.transport.peers import Peers

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
        self._batcher = Batcher(disk.wal, self._loop, written=self._written, failed=self._fail)
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
        self._early: list[tuple[int, Request]] = []
        self._early_timer: asyncio.TimerHandle | None = None
        self._last_leader: NodeId | None = None
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
        self._forming.carry_out()
        self._check_early()

    async def stop(self) -> None:
        """Drain: hand leadership over, finish what is under way, flush, close. Bounded in time."""
        deadline = self._loop.time() + self.settings.drain_ms / 1_000 / 2
        driver = self._driver
        if driver is not None and not self._is_broken:
            driver.replica.transfer_leadership(None, now())
            driver.wake()
            while not _drained(driver.replica) and self._loop.time() < deadline:  # noqa: ASYNC110
                await asyncio.sleep(DRAIN_CHECK_S)
        if driver is not None:
            driver.stop()
        if self._early_timer is not None:
            self._early_timer.cancel()
        for _, request in self._early:
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
        assert group == GROUP, "there is one group"
        if self._driver is not None:
            self._driver.submit(request)
        elif len(self._early) < EARLY_COUNT_MAX:
            self._early.append((now().mono_ms, request))
        else:
            self._loop.call_soon(request.ticket.answered, NotDone(Reason.OVERLOADED))

    def group_of_slot(self, _slot: int) -> GroupId:
        """Return who serves the slot: the one group there is."""
        return GROUP

    def topology(self) -> Topology:
        """Return the nodes with their addresses, the groups, and who serves which shard."""
        settings, driver = self.settings, self._driver
        if driver is None:
            known = members.configured(settings, self.me, self._peers, self._disk.formed)
            membership = Membership(tuple(one.node for one in known))
        else:
            known = members.members(settings, self.me, self._peers, driver.replica)
            membership = driver.replica.consensus.membership
        leader = self.leader
        group = GroupStatus(
            GROUP,
            leader or self._last_leader,
            self.term,
            quorum=leader is not None,
            voters=membership.voters,
            learners=membership.learners,
        )
        return Topology(self.me, known, (group,), (GROUP,) * SHARDS_DEFAULT)

    def position(self, group: GroupId) -> LogPosition:
        """Return where this node's replica of the group is."""
        if self._driver is None or group != GROUP:
            return NOWHERE
        replica = self._driver.replica
        commit = replica.consensus.commit_index
        voters = replica.consensus.membership.voters
        matches = replica.consensus.match_indexes()
        at_commit = sum(matches.get(node, Index(0)) >= commit for node in voters if node != self.me)
        return LogPosition(self.term, commit, replica.group.applied.index, at_commit)

    def clock_ms(self) -> int:
        """Return this node's wall clock, ms since 1970."""
        return now().wall_ms

    def leads(self, group: GroupId) -> bool:
        """Does this node lead the group, as far as it knows?"""
        return group == GROUP and self._driver is not None and self._driver.replica.leads

    def disk_bytes(self) -> int:
        """Return what the data directory holds."""
        return self._disk.bytes_held()

    def ready(self) -> tuple[bool, str]:
        """Return whether this node serves, and if not, why."""
        if self._driver is None:
            return False, self._forming.waits_for
        replica = self._driver.replica
        if not replica.consensus.membership.has(self.me):
            return False, "this node is no member yet: it asks for its place (`pnyx node add`)"
        if replica.consensus.leader is None:
            return False, "no leader is known: an election is under way, or there is no quorum"
        behind = replica.consensus.commit_index - replica.group.applied.index
        if behind > READY_BEHIND_MAX:
            return False, f"{behind} committed entries are not applied yet"
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

    def membership(self) -> Membership | None:
        """Return the newest membership; None until the cluster has formed."""
        return None if self._driver is None else self._driver.replica.consensus.membership

    @property
    def leader(self) -> NodeId | None:
        """The leader now, as far as known here."""
        leader = None if self._driver is None else self._driver.replica.consensus.leader
        if leader is not None:
            self._last_leader = leader
        return leader

    @property
    def term(self) -> Term:
        """The newest term heard of."""
        return Term(0) if self._driver is None else self._driver.replica.consensus.term

    # What the transport says. A bug met there must stop the node, not just close a link.

    def received(self, parcel: Parcel) -> None:
        """Take in a peer's parcel."""
        try:
            if self._driver is not None:
                self._driver.received(parcel)
            self._forming.received(parcel)
        except BaseException as error:
            self._fail(error)

    def link_up(self, label: str, node: NodeId, boot: int) -> None:
        """Both lanes to `node` are up."""
        _log.debug("link up", peer=label, boot=f"{boot:x}")
        try:
            # A label that nobody configured has no part in forming the cluster.
            if label in self.settings.nodes:
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
        metrics.watch("wal", self._disk.wal.counters)
        metrics.watch("links", self._peers.counts)
        counters = self._disk.wal.counters
        metrics.gauge("log_segments", "Segments of the log on disk.", lambda: counters.segments)
        metrics.gauge("links_up", "Links to other nodes, two a node.", lambda: self._peers.links_up)

    def _formed(self, formed: Formed) -> None:
        """The cluster is formed: this node may vote and campaign from now on."""
        disk = self._disk
        self._peers.let_strangers_in()
        joins = dict(formed.nodes).get(self.settings.name) != self.me
        moment = now()
        disk.formed = formed
        consensus = engines.start(
            self.settings.consensus,
            me=self.me,
            membership=disk.adopt_membership(formed),
            settings=self.settings.raft_settings,
            prng=Prng(secrets.randbits(63)),
            now_ms=moment.mono_ms,
            boot=self.boot,
            hard_state=disk.log.hard_state,
            accepted=disk.log.accepted,
            entries=disk.log.entries,
            compacted=disk.log.compacted,
            applied=disk.group.applied.index,
        )
        replica = Replica(
            me=self.me,
            boot=self.boot,
            consensus=consensus,
            group=disk.group,
            limits=self.settings.replica_limits,
            joins=self.settings.name if joins else "",
        )
        self.metrics.watch("replica", replica.counters)
        self.metrics.gauge("parked", "Requests that wait.", lambda: replica.parked_count)
        self._driver = Driver(
            group=GROUP,
            replica=replica,
            wal=disk.wal,
            batcher=self._batcher,
            space=disk.space,
            peers=self._peers,
            failed=self._fail,
            retired=self._retire,
        )
        for one in self._peers.linked:
            self._driver.link_up(one.node)
        if self._is_new and not joins and self.settings.name == min(self.settings.nodes):
            # Nobody else can have started: no need to wait for a timeout.
            consensus.campaign(moment.mono_ms)
        for _, request in self._early:
            self._driver.submit(request)
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
            _, request = self._early.pop(0)
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


def _drained(replica: Replica) -> bool:
    alone = len(replica.consensus.membership.voters) == 1
    return replica.idle and (alone or not replica.leads)
