"""What the Q-* and D-* scenarios share: clients of the service on multi-instance Paxos.

A client sends a request to one replica and, unless it is answered soon, the same again to another:
the service does it once.
"""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from pnyx.lab.history import History
from pnyx.lab.lessons.decreejudge import DecreeJudge, peer_of
from pnyx.lab.lessons.judge import Judge, Judges
from pnyx.lab.lessons.service import SPOKEN, Reply, Request, Service
from pnyx.lab.lessons.servicejudge import ServiceJudge
from pnyx.lab.lessons.stage import Lesson, LessonStage, Mailbox
from pnyx.lab.lessons.world import UNRELIABLE
from pnyx.lab.linearizability import judge
from pnyx.lab.scenario import Scenario, Script, Step, Until, scenario

TRY_US: Final = 300_000
"""A client asks another replica after this."""
WAIT_US: Final = 30_000_000
"""A client that waits longer has found a hole."""
SETTLE_US: Final = 10_000_000
SERVICE_SOURCE: Final = "MIT 6.824 2015, lab 3B (kvpaxos)"
DISK_SOURCE: Final = "MIT 6.824 2015, lab 5 (diskv)"


def _judges() -> Judge:
    return Judges(DecreeJudge(), ServiceJudge())


SERVED: Final = Lesson(
    "multi-instance",
    "a key-value service on one Paxos for each instance; any replica serves",
    Service,
    SPOKEN,
    _judges,
)


def service_scenario(
    identifier: str, test: str, *, about: str, nodes: int, **more: Any
) -> Callable[[Callable[..., Script]], Scenario]:
    """Make the decorated script a scenario of the replicated service."""
    source = f"{DISK_SOURCE if identifier.startswith('D-') else SERVICE_SOURCE}, {test}"
    return scenario(
        identifier,
        about=about,
        source=source,
        nodes=nodes,
        profile=UNRELIABLE,
        lesson=SERVED,
        **more,
    )


@dataclass(slots=True, eq=False)
class Clerk:
    """A client with one request at a time."""

    stage: LessonStage
    among: tuple[int, ...] = ()
    """Which replicas it asks; all if empty."""
    history: History | None = None
    number: int = 0
    box: Mailbox = field(init=False)

    def __post_init__(self) -> None:
        """Take a place in the network."""
        self.box = self.stage.client()
        self.among = self.among or tuple(self.stage.numbers)

    def get(self, key: bytes) -> Generator[Step, Any, bytes]:
        """Return the value, empty if there is none."""
        value = yield from self._ask("get", key, b"")
        return value

    def put(self, key: bytes, value: bytes) -> Script:
        """Replace the value."""
        yield from self._ask("put", key, value)

    def append(self, key: bytes, value: bytes) -> Script:
        """Append to the value."""
        yield from self._ask("append", key, value)

    def send(self, kind: str, key: bytes, value: bytes = b"") -> int:
        """Send a request to the first of its replicas, once, and return its number."""
        self.number += 1
        self.box.ask(self.among[0], Request(self.box.place, self.number, kind, key, value))
        return self.number

    def answer(self, number: int) -> bytes | None:
        """Return what was answered to that request, or None."""
        for _, message in self.box.arrived:
            if isinstance(message, Reply) and message.number == number:
                return message.value
        return None

    def _ask(self, kind: str, key: bytes, value: bytes) -> Generator[Step, Any, bytes]:
        stage = self.stage
        self.number += 1
        request = Request(self.box.place, self.number, kind, key, value)
        self.box.arrived.clear()
        called = None
        if self.history is not None:
            words = (value.decode(),) if kind != "get" else ()
            called = self.history.call(
                self.box.place, kind, key.decode(), words, time_us=stage.now_us
            )
        deadline_us = stage.now_us + WAIT_US
        turn = stage.below(len(self.among), f"first of {self.box.place}")
        while (reply := self.answer(self.number)) is None:
            stage.check(
                stage.now_us < deadline_us,
                f"client {self.box.place} waits {WAIT_US / 1e6:.0f} s for {kind} {key!r}",
            )
            self.box.ask(self.among[turn % len(self.among)], request)
            turn += 1
            yield Until(lambda: self.answer(self.number) is not None, TRY_US)
        if self.history is not None and called is not None:
            told = reply.decode() if kind == "get" else None
            self.history.returned(called, "ok", told, time_us=stage.now_us)
        return reply


def service_on(stage: LessonStage, number: int) -> Service:
    """Return the replica on a host that runs."""
    node = stage.host(number).node
    assert isinstance(node, Service), "a host of this lesson has a service while it runs"
    return node


def equal_in_the_end(stage: LessonStage, numbers: Iterable[int] = ()) -> Script:
    """Wait until these, or all, have applied the same."""
    chosen = tuple(numbers) or tuple(stage.numbers)
    yield Until(lambda: len({_state(stage, number) for number in chosen}) == 1, SETTLE_US)
    found = {number: _state(stage, number)[0] for number in chosen}
    states = {_state(stage, number) for number in chosen}
    stage.check(len(states) == 1, f"replicas differ; they have applied {found}")


def _state(stage: LessonStage, number: int) -> tuple[int, tuple[tuple[bytes, bytes], ...]]:
    service = service_on(stage, number)
    return service.applied if service.is_whole else -1, tuple(sorted(service.values.items()))


def values_on(stage: LessonStage, key: bytes) -> set[bytes]:
    """Return what the replicas that run hold under a key."""
    return {
        service_on(stage, number).values.get(key, b"")
        for number in stage.numbers
        if stage.host(number).node is not None
    }


def held_bytes(stage: LessonStage) -> int:
    """Return the bytes of all values in memory: those of the service and those of instances."""
    total = 0
    for host in stage.world.hosts.values():
        if isinstance(host.node, Service):
            total += sum(len(value) for value in host.node.values.values())
            for one in peer_of(host).instances.values():
                accepted = one.acceptor.accepted
                total += len(one.value or b"") + (len(accepted.value) if accepted else 0)
    return total


def check_history(stage: LessonStage, history: History) -> None:
    """Fail unless some order explains all that clients were told."""
    verdict = judge(history)
    stage.check(verdict.word == "linearizable", f"the history is {verdict.word}")


def token_of(client: int, number: int) -> bytes:
    """Return what the original tests append."""
    return b"x %d %d y" % (client, number)


def check_appends(stage: LessonStage, value: bytes, counts: Iterable[int]) -> None:
    """Fail unless each client's appends are there once and in its order."""
    for client, count in enumerate(counts):
        last = -1
        for number in range(count):
            token = token_of(client, number)
            stage.check(value.count(token) == 1, f"{token!r} is there {value.count(token)} times")
            stage.check(value.index(token) > last, f"{token!r} is there out of order")
            last = value.index(token)
