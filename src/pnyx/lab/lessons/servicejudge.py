"""The judge of the service on multi-instance Paxos: replicas are equal, and done is on disk."""

from typing import Final, TypeAlias

from pnyx.lab.invariants.invariant import Marks
from pnyx.lab.lessons import verdicts
from pnyx.lab.lessons.host import Host
from pnyx.lab.lessons.judge import Judge
from pnyx.lab.lessons.service import APPLIED, Service

LONG_US: Final = 1_000_000
State: TypeAlias = tuple[dict[bytes, bytes], dict[int, int]]


class ServiceJudge(Judge):
    """Watches the states of one run."""

    def __init__(self) -> None:
        self.marks = Marks()
        self._states: dict[int, tuple[State, int, int]] = {}
        """By applied instance: the state, whose it was first, and when."""
        self._applied: dict[int, int] = {}

    def started(self, host: Host) -> None:
        """Its state is on its disk."""
        service = _service(host)
        self._applied.pop(host.number, None)
        if service.peer.min > 0 and host.life > 1:
            self.marks.hit(verdicts.ON_DISK_BEFORE_DONE.sometimes)

    def touched(self, host: Host) -> None:
        """Compare the state with that of whoever was there before."""
        service = _service(host)
        done = service.peer.done_by[service.peer.me]
        on_disk = int(host.rows.held.get(APPLIED, b"-1"))
        if done > on_disk and host.rows.disk == 0:
            raise verdicts.ON_DISK_BEFORE_DONE.broken(
                f"n{host.number} says that it is done with {done}; its disk has applied {on_disk}"
            )
        if service.is_whole and self._applied.get(host.number) != service.applied:
            self._applied[host.number] = service.applied
            self._compare(host, service)

    def _compare(self, host: Host, service: Service) -> None:
        state: State = (dict(service.values), dict(service.sessions))
        now_us = self.world.timeline.now_us
        known, first, at_us = self._states.setdefault(service.applied, (state, host.number, now_us))
        if known != state:
            raise verdicts.EQUAL_STATES.broken(
                f"n{host.number} and n{first} have applied {service.applied} instances and "
                "have different states"
            )
        if now_us - at_us > LONG_US:
            self.marks.hit(verdicts.EQUAL_STATES.sometimes)


def _service(host: Host) -> Service:
    assert isinstance(host.node, Service), "a host of this lesson has a service while it runs"
    return host.node
