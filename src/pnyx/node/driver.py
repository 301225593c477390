"""The hands and feet of a node's replica: it carries effects out and decides nothing.

One turn of the crank a loop turn, however much arrived in it: hand over what came in, take the
effects, start one write, send one parcel a peer and lane, give the answers. The order inside
`Effects` is kept: what waits for a write leaves when that write is durable, never before.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from pnyx.consensus import engines
from pnyx.ids import GroupId, NodeId
from pnyx.machine.space import Space
from pnyx.node.batching import Batcher
from pnyx.replica.changes import Change
from pnyx.replica.effects import Effects, Now, Outbound
from pnyx.replica.messages import Forward, ForwardReply, SnapshotChunk
from pnyx.replica.replica import Replica
from pnyx.replica.requests import Request
from pnyx.storage.wal import GroupWrite, Wal
from pnyx.transport.codec import Packet, Parcel
from pnyx.transport.lane import Lane
from pnyx.transport.peers import Peers

BULK = engines.BULK | {Forward, ForwardReply, SnapshotChunk}
"""What can be large takes the bulk lane; all that elections and reads wait for, the other."""
APPLIED_PER_TURN = 256
"""Entries applied in one turn, about: a long log must not hold up heartbeats."""
SEGMENT_COUNT_MAX = 6
"""The log is compacted, tail included, rather than keep more segments than this."""
SPACE_CHECK_MS = 1_000
"""How often the disk's free space is looked at."""


def now() -> Now:
    """Read both clocks."""
    return Now(time.monotonic_ns() // 1_000_000, time.time_ns() // 1_000_000)


class Driver:
    """Turns the crank of one replica on the loop."""

    def __init__(
        self,
        *,
        group: GroupId,
        replica: Replica,
        wal: Wal,
        batcher: Batcher,
        space: Space,
        peers: Peers,
        failed: Callable[[BaseException], None],
        retired: Callable[[str], None],
    ) -> None:
        self.replica = replica
        self._group = group
        self._wal = wal
        self._batcher = batcher
        self._space = space
        self._peers = peers
        self._failed = failed
        self._retired = retired
        self._loop = asyncio.get_running_loop()
        self._inbox: list[Request] = []
        self._scheduled = False
        self._delayed: deque[tuple[int, Outbound]] = deque()
        self._durable = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms = 0
        self._space_checked_ms = 0
        self._stopped = False

    # What arrives.

    def submit(self, request: Request) -> None:
        """Put `request` into this turn's batch."""
        self._inbox.append(request)
        self.wake()

    def received(self, parcel: Parcel) -> None:
        """Step the replica with each message of a peer."""
        moment = now()
        self.replica.heard(parcel.sender, parcel.wall_ms, moment)
        for packet in parcel.packets:
            if packet.group == self._group:
                self.replica.step(parcel.sender, packet.message, moment)
        self.wake()

    def change_members(self, change: Change, ticket: Any) -> None:
        """Begin a change of members; `ticket.answered` follows, exactly once."""
        self.replica.change_members(change, ticket, now())
        self.wake()

    def transfer_leadership(self, to: NodeId | None) -> bool:
        """Start handing leadership to `to`, or to the best follower; False if nothing started."""
        started = self.replica.transfer_leadership(to, now())
        self.wake()
        return started

    def link_up(self, node: NodeId) -> None:
        """A link to `node`, member or not, is up."""
        self.replica.met(node)
        self.wake()

    def link_lost(self, node: NodeId) -> None:
        """Tell the replica that what was on its way to or from `node` is lost."""
        self.replica.link_lost(node)
        self.wake()

    def written(self, writes: list[GroupWrite]) -> None:
        """Those records are durable: release what waited for them."""
        for write in writes:
            if write.group == self._group:
                self._durable = write.write.write_id
        if self._stopped:
            return
        self.replica.persisted(self._durable, now())
        delayed = self._delayed
        ready: list[Outbound] = []
        while delayed and delayed[0][0] <= self._durable:
            ready.append(delayed.popleft()[1])
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
        self.replica.submit(self._inbox, now())
        self._inbox = []
        self.replica.stop()
        while (effects := self.replica.effects(now())) is not None:
            self._answer(effects)
            # Other nodes wait for what they forwarded here.
            self._send(effects.send)
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
        replica = self.replica
        if self._inbox:
            requests, self._inbox = self._inbox, []
            replica.submit(requests, moment)
        if moment.mono_ms >= self._timer_ms:
            replica.tick(moment)
        if moment.mono_ms >= self._space_checked_ms + SPACE_CHECK_MS:
            self._space_checked_ms = moment.mono_ms
            low = self._wal.low_space()
            replica.space_low(low)
            replica.hold_writes(self._space.is_behind())
            replica.release_log(urgent=low or bool(self._wal.lagging(SEGMENT_COUNT_MAX)))
        applied = 0
        while (effects := replica.effects(moment)) is not None:
            self._carry_out(effects)
            if not effects.more:
                break
            applied += effects.applied
            if applied > APPLIED_PER_TURN:
                # Heartbeats, peers and clients get their turn; then it goes on.
                self.wake()
                break
        if replica.retired:
            # What it still had to say has left; that is all a retired node does.
            self._retired(replica.retired)
        self._arm(moment.mono_ms)

    def _carry_out(self, effects: Effects) -> None:
        if effects.write is None:
            # Nobody's disk waits for these messages; clients do wait for their answers.
            self._answer(effects)
        if effects.send:
            self._send(effects.send)
        if effects.write is not None:
            # After the messages: a peer's way to its disk is longer than ours.
            self._batcher.add(GroupWrite(self._group, effects.write))
            self._batcher.start()
        for write_id, outbound in effects.send_when_durable:
            if write_id <= self._durable:
                self._send([outbound])
            else:
                # A vote or an acknowledgement that a crash could take back would let two leaders
                # win one term, or a commit vanish (dissertation §3.8).
                self._delayed.append((write_id, outbound))
        if effects.flush is not None:
            flush = self._loop.run_in_executor(None, self._space.flush)
            flush.add_done_callback(partial(self._flushed, effects.flush))
        self._answer(effects)

    def _answer(self, effects: Effects) -> None:
        for ticket, answer in effects.answers:
            ticket.answered(answer)
        effects.answers.clear()

    def _send(self, outbounds: list[Outbound]) -> None:
        parcels: dict[tuple[NodeId, Lane], list[Packet]] = {}
        for outbound in outbounds:
            lane = Lane.BULK if type(outbound.message) in BULK else Lane.RAFT
            packet = Packet(self._group, outbound.message)
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
            self._unsent(to, lost)

    def _unsent(self, to: NodeId, packets: list[Packet]) -> None:
        for packet in packets:
            self.replica.unsent(to, packet.message)
        self.wake()

    def _flushed(self, number: int, done: asyncio.Future[Any]) -> None:
        if self._stopped:
            return
        try:
            done.result()
            self.replica.flushed(number, now())
        except BaseException as error:
            self._failed(error)
        else:
            self.wake()

    def _arm(self, mono_ms: int) -> None:
        deadline_ms = max(self.replica.deadline_ms, mono_ms + 1)
        if self._timer is not None:
            if mono_ms < self._timer_ms <= deadline_ms:
                return
            self._timer.cancel()
        self._timer_ms = deadline_ms
        self._timer = self._loop.call_later((deadline_ms - mono_ms) / 1_000, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self.wake()
