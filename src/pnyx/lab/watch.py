"""What can be told of a run while it happens: whoever judges it overrides what it wants to know."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pnyx.consensus.ready import Write
from pnyx.replica.effects import Outbound
from pnyx.replica.requests import Answer, Request
from pnyx.storage.wal import GroupWrite

if TYPE_CHECKING:
    from pnyx.lab.process import Process


class Watch:
    """Sees everything, changes nothing. Raises `Violation` when what must hold does not."""

    def started(self, process: "Process") -> None:
        """`process` has a replica now, from its disk or for the first time."""

    def ended(self, process: "Process", how: str) -> None:
        """`process` is gone; its disk is as the crash left it. `how`: kill, power, stop, failed."""

    def submitted(self, process: "Process", request: Request) -> None:
        """A client's request reaches the replica of `process`."""

    def answered(self, process: "Process", ticket: Any, answer: Answer) -> None:
        """The replica of `process` answers."""

    def asked(self, process: "Process", write: Write) -> None:
        """The replica wants `write` to be made durable."""

    def durable(self, process: "Process", writes: Sequence[GroupWrite]) -> None:
        """Those writes are durable; the replica does not know it yet."""

    def sending(self, process: "Process", outbound: Outbound) -> None:
        """A message leaves `process` now."""

    def touched(self, process: "Process") -> None:
        """An event at `process` is over; its state may have changed."""

    def finish(self, processes: "Iterable[Process]") -> None:
        """The run is over: look at everything once more."""


class Watches(Watch):
    """Several, told in order."""

    def __init__(self, watches: Sequence[Watch]) -> None:
        self.watches = list(watches)

    def started(self, process: "Process") -> None:
        for watch in self.watches:
            watch.started(process)

    def ended(self, process: "Process", how: str) -> None:
        for watch in self.watches:
            watch.ended(process, how)

    def submitted(self, process: "Process", request: Request) -> None:
        for watch in self.watches:
            watch.submitted(process, request)

    def answered(self, process: "Process", ticket: Any, answer: Answer) -> None:
        for watch in self.watches:
            watch.answered(process, ticket, answer)

    def asked(self, process: "Process", write: Write) -> None:
        for watch in self.watches:
            watch.asked(process, write)

    def durable(self, process: "Process", writes: Sequence[GroupWrite]) -> None:
        for watch in self.watches:
            watch.durable(process, writes)

    def sending(self, process: "Process", outbound: Outbound) -> None:
        for watch in self.watches:
            watch.sending(process, outbound)

    def touched(self, process: "Process") -> None:
        for watch in self.watches:
            watch.touched(process)

    def finish(self, processes: "Iterable[Process]") -> None:
        for watch in self.watches:
            watch.finish(processes)


class Violation(Exception):
    """What must always hold does not: the run is over."""

    def __init__(self, invariant: str, sentence: str) -> None:
        super().__init__(f"{invariant}: {sentence}")
        self.invariant = invariant
        self.sentence = sentence
