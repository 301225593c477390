"""A judge of one group's replicas, in worlds of many groups: one of its kind for each."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pnyx.ids import GroupId
from pnyx.lab.process import Process
from pnyx.lab.seat import Seat
from pnyx.lab.watch import Watch
from pnyx.replica.effects import Outbound
from pnyx.replica.requests import Answer
from pnyx.storage.wal import GroupWrite


class EachGroup(Watch):
    """Tells each judge what happens in its group."""

    def __init__(self, make: Callable[[], Watch]) -> None:
        """Call `make` when a group is heard of first."""
        self._make = make
        self.judges: dict[GroupId, Watch] = {}

    def started(self, seat: Seat) -> None:
        self._of(seat.group).started(seat)

    def ended(self, process: Process, how: str) -> None:
        for judge in self.judges.values():
            judge.ended(process, how)

    def answered(self, process: Process, ticket: Any, answer: Answer) -> None:
        for judge in self.judges.values():
            judge.answered(process, ticket, answer)

    def asked(self, process: Process, write: GroupWrite) -> None:
        self._of(write.group).asked(process, write)

    def durable(self, process: Process, writes: Sequence[GroupWrite]) -> None:
        for group in dict.fromkeys(write.group for write in writes):
            own = [write for write in writes if write.group == group]
            self._of(group).durable(process, own)

    def sending(self, seat: Seat, outbound: Outbound) -> None:
        self._of(seat.group).sending(seat, outbound)

    def touched(self, seat: Seat) -> None:
        self._of(seat.group).touched(seat)

    def finish(self, processes: Iterable[Process]) -> None:
        for judge in self.judges.values():
            judge.finish(processes)

    def _of(self, group: GroupId) -> Watch:
        judge = self.judges.get(group)
        if judge is None:
            judge = self.judges[group] = self._make()
        return judge
