"""What can be told of a run while it happens: whoever judges it overrides what it wants to know."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from pnyx.replica.effects import Outbound
from pnyx.replica.requests import Answer, Request
from pnyx.storage.wal import GroupWrite
from pnyx.transport.verdict import Outcome

if TYPE_CHECKING:
    from pnyx.lab.process import Process
    from pnyx.lab.seat import Seat


class Watch:
    """Sees everything, changes nothing. Raises `Violation` when what must hold does not."""

    def started(self, seat: "Seat") -> None:
        """A process has a replica of a group now, from its disk or for the first time."""

    def ended(self, process: "Process", how: str) -> None:
        """`process` is gone; its disk is as the crash left it. `how`: kill, power, stop, failed."""

    def submitted(self, process: "Process", request: Request) -> None:
        """A client's request reaches `process`."""

    def answered(self, process: "Process", ticket: Any, answer: Answer) -> None:
        """`process` answers."""

    def gave_up(self, ticket: Any, outcome: Outcome) -> None:
        """A client waits no more for a write, and says what it knows of it."""

    def asked(self, process: "Process", write: GroupWrite) -> None:
        """A replica of `process` wants `write` to be made durable."""

    def durable(self, process: "Process", writes: Sequence[GroupWrite]) -> None:
        """Those writes are durable; the replicas do not know it yet."""

    def sending(self, seat: "Seat", outbound: Outbound) -> None:
        """A message of the replica leaves its process now."""

    def touched(self, seat: "Seat") -> None:
        """An event at the replica's process is over; its state may have changed."""

    def finish(self, processes: "Iterable[Process]") -> None:
        """The run is over: look at everything once more."""


class Watches(Watch):
    """Several, told in order; each only of what it wants to know."""

    def __init__(self, watches: Sequence[Watch]) -> None:
        self.watches: list[Watch] = []
        self.add(*watches)

    def add(self, *watches: Watch) -> None:
        """Tell these, too, after the others, from now on."""
        self.watches += watches
        for name in _HOOKS:
            wanting = [
                getattr(watch, name)
                for watch in self.watches
                if getattr(type(watch), name) is not getattr(Watch, name)
            ]
            # An attribute of the instance comes before the method of the class: nobody is asked
            # on the way, which happens several times an event.
            setattr(self, name, _all_of(wanting))


_HOOKS: Final = (
    "started",
    "ended",
    "submitted",
    "answered",
    "gave_up",
    "asked",
    "durable",
    "sending",
    "touched",
    "finish",
)


def _all_of(wanting: Sequence[Callable[..., None]]) -> Callable[..., None]:
    if len(wanting) == 1:
        return wanting[0]

    def tell(*arguments: Any) -> None:
        for each in wanting:
            each(*arguments)

    return tell


class Violation(Exception):
    """What must always hold does not: the run is over."""

    def __init__(self, invariant: str, sentence: str) -> None:
        super().__init__(f"{invariant}: {sentence}")
        self.invariant = invariant
        self.sentence = sentence
