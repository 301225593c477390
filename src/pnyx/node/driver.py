"""The hands and feet of a node's roster: it carries effects out and decides nothing.

One turn of the crank a loop turn, however much arrived in it, and for however many groups: take in
what came, take the effects, start one write for all groups, send one parcel a peer and lane, give
the answers. The order inside `Effects` is kept: what waits for a write leaves when that write is
durable, never before.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from pnyx.ids import GroupId, NodeId
from pnyx.node.batching import Batcher
from pnyx.node.courtesy import Courtesy
from pnyx.node.disk import Disk
from pnyx.node.flushing import Flusher
from pnyx.node.vigil import Vigil
from pnyx.replica.changes import Change
from pnyx.replica.effects import Effects, Now, Outbound
from pnyx.replica.founding import Missing
from pnyx.replica.messages import BULK
from pnyx.replica.replica import Replica
from pnyx.replica.requests import Request
from pnyx.replica.roster import CONTROL, Roster
from pnyx.storage.wal import GroupWrite
from pnyx.storage.watch import Watch
from pnyx.transport.codec import FORMATION, Packet, Parcel
from pnyx.transport.lane import Lane
from pnyx.transport.peers import Peers

APPLIED_PER_TURN = 256
"""Entries applied in one turn, about: a long log must not hold up heartbeats."""


def now() -> Now:
    """Read both clocks."""
    return Now(time.monotonic_ns() // 1_000_000, time.time_ns() // 1_000_000)


class Driver:
    """Turns the crank of one node's roster on the loop."""

    def __init__(
        self,
        *,
        roster: Roster,
        disk: Disk,
        batcher: Batcher,
        peers: Peers,
        vigil: Vigil,
        start: Callable[[GroupId, Missing | None], Replica],
        failed: Callable[[BaseException], None],
        retired: Callable[[str], None],
    ) -> None:
        """Take up the groups that are on `disk`.

        Args:
            roster: all replicas of the node; it gets those of the disk from `start`.
            disk: the node's, opened.
            batcher: its log.
            peers: its links.
            vigil: when its loop may sleep.
            start: makes the replica of a group on the disk, founded just now or before.
            failed: told of the error that ends this node.
            retired: told why this node is no part of its cluster any more.
        """
        self.roster = roster
        self._disk = disk
        self._batcher = batcher
        self._peers = peers
        self._vigil = vigil
        self._start = start
        self._failed = failed
        self._retired = retired
        self._loop = asyncio.get_running_loop()
        self._flusher = Flusher(disk.space, self._loop, self._fail)
        self._inbox: defaultdict[GroupId, list[Request]] = defaultdict(list)
        self._awaited: dict[GroupId, tuple[int, int]] = {}
        """By group, how many new reads and writes are worth a turn; until effects are taken."""
        self._scheduled = False
        self._delayed: defaultdict[GroupId, deque[tuple[int, Outbound]]] = defaultdict(deque)
        self._durable: dict[GroupId, int] = {}
        """By group, the newest write that is."""
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms = 0
        self._watch = Watch()
        self._courtesy = Courtesy()
        self._stopped = False
        for group in disk.groups:
            roster.add(group, start(group, None), now())

    # What arrives.

    def submit(self, group: GroupId, request: Request) -> None:
        """Put `request` into the next turn's batch of its group."""
        requests = self._inbox[group]
        requests.append(request)
        if self._scheduled:
            return
        awaited = self._awaited.get(group)
        if awaited is None:
            replica = self.roster.replicas.get(group)
            awaited = self._awaited[group] = (0, 0) if replica is None else replica.awaited()
        # Else each client of a batch that is being gathered would cost a turn that does nothing.
        if len(requests) >= awaited[request.by_log] or request.stale:
            self.wake()

    def received(self, parcel: Parcel) -> None:
        """Step the roster with each message of a peer."""
        moment = now()
        roster, sender = self.roster, parcel.sender
        roster.heard(sender, parcel.wall_ms)
        self.wake()
        for packet in parcel.packets:
            if packet.group != FORMATION:
                roster.step(packet.group, sender, packet.message, moment)

    def change_members(self, group: GroupId, change: Change, ticket: Any) -> None:
        """Begin a change of a group's members; `ticket.answered` follows, exactly once."""
        self.roster.replicas[group].change_members(change, ticket, now())
        self.touched(group)

    def transfer_leadership(self, group: GroupId, to: NodeId | None) -> bool:
        """Start handing leadership to `to`, or to the best follower; False if nothing started."""
        started = self.roster.replicas[group].transfer_leadership(to, now())
        self.touched(group)
        return started

    def touched(self, group: GroupId) -> None:
        """Something was done to a group's replica: carry out what follows."""
        self.roster.touched(group)
        self.wake()

    def link_up(self, node: NodeId) -> None:
        """A link to `node`, member or not, is up."""
        self.roster.met(node, now())
        self.wake()

    def link_lost(self, node: NodeId) -> None:
        """Tell the roster that what was on its way to or from `node` is lost."""
        self.roster.link_lost(node)
        self.wake()

    def written(self, writes: Sequence[GroupWrite]) -> None:
        """Those records are durable: release what waited for them."""
        newest = {write.group: write.write.write_id for write in writes}
        self._durable |= newest
        if self._stopped:
            return
        moment = now()
        ready: list[tuple[GroupId, Outbound]] = []
        for group, write_id in newest.items():
            self.roster.persisted(group, write_id, moment)
            delayed = self._delayed[group]
            while delayed and delayed[0][0] <= write_id:
                ready.append((group, delayed.popleft()[1]))
        if ready:
            self._send(ready)
        self.wake()

    def wake(self) -> None:
        """Turn the crank at the end of this loop turn."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def halt(self) -> None:
        """Turn no more and say nothing more: the node has failed."""
        self._stopped = True

    def stop(self) -> None:
        """Answer whoever still waits, and turn no more."""
        self._hand_over(now())
        self.roster.stop()
        while turn := self.roster.effects(now()):
            for group, effects in turn:
                self._answer(effects)
                # Other nodes wait for what they forwarded here.
                self._send([(group, outbound) for outbound in effects.send])
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    # The crank.

    def _turn(self) -> None:
        self._scheduled = False
        if self._stopped:
            return
        try:
            self._crank()
        except BaseException as error:
            self._failed(error)

    def _crank(self) -> None:
        moment = now()
        if self._courtesy.offer(moment.mono_ms):
            moment = now()
        roster = self.roster
        if self._inbox:
            self._hand_over(moment)
        if moment.mono_ms >= self._timer_ms:
            roster.tick(moment)
        self._look_at_disk(moment)
        applied = 0
        while turn := self._effects(moment):
            applied += self._carry_out(turn)
            if not roster.busy:
                break
            if any(effects.gives_way for _, effects in turn):
                self._courtesy.give_way(moment.mono_ms)
            if applied > APPLIED_PER_TURN:
                # Heartbeats, peers and clients get their turn; then it goes on.
                self.wake()
                break
        self._furnish()
        if roster.replicas[CONTROL].retired:
            # What it still had to say has left; that is all a retired node does.
            self._retired(roster.replicas[CONTROL].retired)
        self._arm(moment.mono_ms)

    def _effects(self, moment: Now) -> list[tuple[GroupId, Effects]]:
        turn = self.roster.effects(moment)
        self._awaited.clear()
        return turn

    def _look_at_disk(self, moment: Now) -> None:
        if sight := self._watch.look(self._disk.wal, moment.mono_ms):
            behind = self._disk.space.is_behind()
            self.roster.tend_disk(low=sight.low, behind=behind, urgent=sight.urgent)

    def _hand_over(self, moment: Now) -> None:
        inbox, self._inbox = self._inbox, defaultdict(list)
        for group, requests in inbox.items():
            self.roster.submit(group, requests, moment)

    def _carry_out(self, turn: Sequence[tuple[GroupId, Effects]]) -> int:
        """Do one turn's work of some groups; return how many entries were applied for it."""
        outbounds: list[tuple[GroupId, Outbound]] = []
        applied = 0
        for group, effects in turn:
            applied += effects.applied
            if effects.write is None:
                # Nobody's disk waits for these answers; clients do.
                self._answer(effects)
            outbounds += [(group, outbound) for outbound in effects.send]
            for write_id, outbound in effects.send_when_durable:
                if write_id <= self._durable.get(group, 0):
                    outbounds.append((group, outbound))
                else:
                    # A vote or an acknowledgement that a crash could take back would let two
                    # leaders win one term, or a commit vanish (dissertation §3.8).
                    self._delayed[group].append((write_id, outbound))
        if outbounds:
            self._send(outbounds)
        for group, effects in turn:
            if effects.write is not None:
                # After the messages: a peer's way to its disk is longer than ours.
                self._batcher.add(GroupWrite(group, effects.write))
                self._vigil.worked()
            if effects.flush is not None:
                self._flusher.flush(partial(self._flushed, group, effects.flush))
        self._batcher.start()
        for _, effects in turn:
            self._answer(effects)
        return applied

    def _answer(self, effects: Effects) -> None:
        if effects.answers:
            for ticket, answer in effects.answers:
                ticket.answered(answer)
            effects.answers.clear()
            self._vigil.worked()

    def _send(self, outbounds: Sequence[tuple[GroupId, Outbound]]) -> None:
        parcels: dict[tuple[NodeId, Lane], list[Packet]] = {}
        for group, outbound in outbounds:
            lane = Lane.BULK if type(outbound.message) in BULK else Lane.RAFT
            packet = Packet(group, outbound.message)
            parcels.setdefault((outbound.to, lane), []).append(packet)
        for (to, lane), packets in parcels.items():
            if self._peers.send(to, lane, packets):
                continue
            # One packet that fits in no frame must not take the others with it.
            lost = [
                one
                for one in packets
                if len(packets) == 1 or not self._peers.send(to, lane, (one,))
            ]
            for packet in lost:
                self.roster.unsent(packet.group, to, packet.message)
            self.wake()

    def _flushed(self, group: GroupId, number: int) -> None:
        if not self._stopped:
            self.roster.flushed(group, number, now())
            self.wake()

    def _fail(self, error: BaseException) -> None:
        if not self._stopped:
            self._failed(error)

    # Groups that come and go.

    def _furnish(self) -> None:
        missing = self.roster.missing()
        if missing:
            for one in missing:
                self._disk.found(one)
            self._flusher.flush(partial(self._founded, missing))
        for group in self.roster.doomed():
            self._delayed.pop(group, None)
            self._batcher.destroy(group, partial(self._disk.destroy, group))
            self._batcher.start()

    def _founded(self, missing: Sequence[Missing]) -> None:
        """The rows that say who founded those groups are durable: they may speak."""
        if self._stopped:
            return
        for one in missing:
            self.roster.add(one.group, self._start(one.group, one), now())
        self.wake()

    def _arm(self, mono_ms: int) -> None:
        deadline_ms = max(self.roster.deadline_ms, mono_ms + 1)
        if self._timer is not None:
            if mono_ms < self._timer_ms <= deadline_ms:
                return
            self._timer.cancel()
        self._timer_ms = deadline_ms
        self._timer = self._loop.call_later((deadline_ms - mono_ms) / 1_000, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self.wake()
