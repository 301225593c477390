"""The hands of a simulated process: they carry out what its replicas want, and decide nothing.

The order inside `Effects` is kept: what waits for a write leaves when that write is durable.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pnyx.ids import GroupId
from pnyx.lab.disk import GroupCommit
from pnyx.replica.effects import Effects, Outbound
from pnyx.storage.wal import GroupWrite

if TYPE_CHECKING:
    from pnyx.lab.process import Process


class Hands:
    """Those of one life."""

    def __init__(self, process: "Process") -> None:
        self._process = process
        self.commits: GroupCommit | None = None
        """Where writes go; there before the first replica is."""

    def carry_out(self, group: GroupId, effects: Effects) -> None:
        """Do what the replica, or the envoy, of a group wants.

        Raises:
            DiskFailed: the disk refused it.
            PowerCut: as planned.
        """
        process, world = self._process, self._process.world
        if effects.write is not None:
            write = GroupWrite(group, effects.write)
            world.watch.asked(process, write)
            assert self.commits is not None, "a replica has a log"
            self.commits.add(write)
            self.commits.start()
        if effects.send:
            self.send(group, effects.send)
        if effects.send_when_durable:
            seat = process.seats[group]
            for write_id, outbound in effects.send_when_durable:
                if write_id <= seat.durable:
                    self.send(group, (outbound,))
                else:
                    seat.delayed.append((write_id, outbound))
        if effects.flush is not None:
            delay_us = int(process.disk.times.flush_us * process.disk.slowness)
            process.flush_in(delay_us, group, effects.flush)
        if effects.answers:
            self.answer(effects)

    def answer(self, effects: Effects) -> None:
        """Tell clients."""
        answered = self._process.world.watch.answered
        for ticket, answer in effects.answers:
            answered(self._process, ticket, answer)
        effects.answers.clear()

    def persisted(self, group: GroupId, write_id: int) -> None:
        """That write of a replica is durable: what waited for it leaves."""
        process = self._process
        seat = process.seats.get(group)
        if seat is None or process.crew is None:
            return
        seat.durable = write_id
        process.crew.persisted(group, write_id, process.now())
        ready: list[Outbound] = []
        while seat.delayed and seat.delayed[0][0] <= write_id:
            ready.append(seat.delayed.popleft()[1])
        self.send(group, ready)

    def send(self, group: GroupId, outbounds: Sequence[Outbound]) -> None:
        """Send messages about a group; who wanted it hears of those that cannot leave."""
        if not outbounds:
            return
        process = self._process
        seat = process.seats.get(group)
        if seat is not None:
            sending = process.world.watch.sending
            for outbound in outbounds:
                sending(seat, outbound)
        wall_ms = process.now().wall_ms
        for outbound in process.wiring.send(process.node, group, outbounds, wall_ms):
            assert process.crew is not None, "nobody sends without"
            process.crew.unsent(group, outbound.to, outbound.message)
