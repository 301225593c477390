"""The hands of a simulated process: they carry out what its replicas want, and decide nothing.

The order inside `Effects` is kept: what waits for a write leaves when that write is durable.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pnyx.lab.disk import GroupCommit
from pnyx.lab.seat import Seat
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

    def carry_out(self, seat: Seat, effects: Effects) -> None:
        """Do what a replica wants.

        Raises:
            DiskFailed: the disk refused it.
            PowerCut: as planned.
        """
        process, world = self._process, self._process.world
        if effects.write is not None:
            write = GroupWrite(seat.group, effects.write)
            world.watch.asked(process, write)
            assert self.commits is not None, "a replica has a log"
            self.commits.add(write)
            self.commits.start()
        if effects.send:
            self.send(seat, effects.send)
        for write_id, outbound in effects.send_when_durable:
            if write_id <= seat.durable:
                self.send(seat, (outbound,))
            else:
                seat.delayed.append((write_id, outbound))
        if effects.flush is not None:
            delay_us = int(process.disk.times.flush_us * process.disk.slowness)
            process.flush_in(delay_us, seat, effects.flush)
        if effects.answers:
            self.answer(effects)

    def answer(self, effects: Effects) -> None:
        """Tell clients."""
        answered = self._process.world.watch.answered
        for ticket, answer in effects.answers:
            answered(self._process, ticket, answer)
        effects.answers.clear()

    def persisted(self, seat: Seat, write_id: int) -> None:
        """That write of a replica is durable: what waited for it leaves."""
        seat.durable = write_id
        seat.replica.persisted(write_id, self._process.now())
        ready: list[Outbound] = []
        while seat.delayed and seat.delayed[0][0] <= write_id:
            ready.append(seat.delayed.popleft()[1])
        self.send(seat, ready)

    def send(self, seat: Seat, outbounds: Sequence[Outbound]) -> None:
        """Send messages of a replica; it hears of those that cannot leave."""
        if not outbounds:
            return
        process = self._process
        sending = process.world.watch.sending
        for outbound in outbounds:
            sending(seat, outbound)
        wall_ms = process.now().wall_ms
        for outbound in process.wiring.send(seat.node, seat.group, outbounds, wall_ms):
            seat.replica.unsent(outbound.to, outbound.message)
