"""The stage of a lesson: what its scripts can do to its world, and how it is played."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pnyx.lab.lessons.host import Host
from pnyx.lab.lessons.judge import Judge
from pnyx.lab.lessons.node import Maker, Parcel
from pnyx.lab.lessons.world import CLIENTS_FROM, Language, LessonWorld
from pnyx.lab.network import RELIABLE
from pnyx.lab.playing import Playing
from pnyx.lab.scenario import Budget, Failed, Scenario, Script
from pnyx.lab.stage import Result
from pnyx.lab.watch import Violation
from pnyx.lab.world import broken_assertion


@dataclass(frozen=True, slots=True)
class Lesson:
    """A protocol as the Lab runs it."""

    name: str
    about: str
    make: Maker
    language: Language
    judge: Callable[[], Judge]
    """Makes the judge of one run."""


@dataclass(slots=True)
class Mailbox:
    """A client's place in the network, and what came there."""

    place: int
    world: LessonWorld
    arrived: list[tuple[int, Any]] = field(default_factory=list)
    """From which host, and what; oldest first."""

    def ask(self, host: int, message: Any) -> None:
        """Send a request."""
        self.world.post(self.place, Parcel(host, message))

    def receive(self, source: int, content: bytes) -> None:
        """An answer arrives."""
        self.arrived.append((source, self.world.opened(source, content).message))


class LessonStage:
    """A world and the scripts that act on it. Hosts are numbers from 1; times are microseconds."""

    def __init__(
        self, scenario: Scenario, seed: int, on_line: Callable[[str], None] | None = None
    ) -> None:
        """Make the world of `scenario`; nothing runs yet. `on_line` is told what happens."""
        lesson = scenario.lesson
        assert isinstance(lesson, Lesson), "a lesson's stage plays lessons"
        self.scenario = scenario
        self.seed = seed
        self.nodes = scenario.nodes
        self.judge: Judge = lesson.judge()
        self.world = LessonWorld(seed, scenario.nodes, lesson.make, lesson.language, self.judge)
        self.world.on_line = on_line
        self.judge.begin(self.world)
        self.budgets: list[Budget] = []
        self._playing = Playing(self.world.timeline)
        self.absent: set[int] = set()
        """Hosts that are not there from the beginning."""
        self.explained: list[str] = []
        """What a scenario shows of a failure that it expects, a line each."""
        self._drawn: dict[str, int] = {}
        self._clients = 0

    # Time and chance.

    @property
    def now_us(self) -> int:
        """Simulated microseconds since the beginning."""
        return self.world.timeline.now_us

    def below(self, bound: int, stream: str) -> int:
        """Draw ``0 <= n < bound``: the n-th draw of a stream is the same in each run of a seed."""
        count = self._drawn[stream] = self._drawn.get(stream, 0) + 1
        return self.world.chance.below(bound, f"script {stream}", count)

    # What is seen.

    def host(self, number: int) -> Host:
        """Return a host."""
        return self.world.hosts[number]

    @property
    def numbers(self) -> list[int]:
        """All hosts."""
        return list(self.world.hosts)

    def sent(self, *kinds: str) -> int:
        """Return how many messages of these types hosts have sent each other, over all lives."""
        return sum(host.sent.get(kind, 0) for host in self.world.hosts.values() for kind in kinds)

    def messages(self) -> int:
        """Return how many messages hosts have sent each other, answers included."""
        return sum(sum(host.sent.values()) for host in self.world.hosts.values())

    # What is done, at once.

    def client(self) -> Mailbox:
        """Return a new client's mailbox."""
        box = Mailbox(CLIENTS_FROM + self._clients, self.world)
        self._clients += 1
        self.world.network.attach(box.place, box.receive)
        return box

    def partition(self, *sides: tuple[int, ...]) -> None:
        """Let hosts hear only their own side."""
        self.world.partition(sides)

    def cut(self, a: int, b: int) -> None:
        """Cut the link between two hosts."""
        self.world.network.block(a, b)
        self.world.network.block(b, a)
        self.world.tell(0, f"the link between n{a} and n{b} is cut")

    def heal(self) -> None:
        """Mend every link and open every host."""
        self.world.heal()
        for host in self.world.hosts.values():
            host.is_deaf = False

    def deafen(self, *numbers: int) -> None:
        """Let nobody call these; they can call, and hear answers."""
        for number in numbers:
            self.world.hosts[number].is_deaf = True

    def crash(self, *numbers: int) -> None:
        """Let these lose power."""
        for number in numbers:
            self.world.tell(number, "crashes")
            self.world.hosts[number].crash()

    def wipe(self, *numbers: int) -> None:
        """Let these crash and lose their disks."""
        for number in numbers:
            self.world.tell(number, "crashes and loses its disk")
            self.world.hosts[number].wipe()

    def restart(self, *numbers: int) -> None:
        """Start these, if they are down."""
        for number in numbers:
            if self.world.hosts[number].node is None:
                self.world.tell(number, "starts")
                self.world.hosts[number].start()

    def reliable(self, *, reliable: bool) -> None:
        """Let links behave, or as the scenario's unreliable profile says."""
        self.world.worsen(RELIABLE if reliable else self.scenario.profile)

    def lethal(self, number: int) -> None:
        """Let that host crash instead of sending its next answer to a client."""
        self.world.hosts[number].dies_answering = True

    def spawn(self, script: Script) -> None:
        """Let another script run beside this one; the scenario ends when all have ended."""
        self._playing.spawn(script)

    # What is judged.

    def check(self, fact: bool, sentence: str) -> None:  # noqa: FBT001 - an assertion's shape
        """Fail the scenario with `sentence` unless `fact`."""
        if not fact:
            raise Failed(sentence)

    def budget(self, name: str, used: float, allowed: float) -> None:
        """Fail unless ``used <= allowed``; either way the report shows both."""
        budget = Budget(name, used, allowed)
        self.budgets.append(budget)
        self.check(used <= allowed, str(budget))

    # The drive.

    def run(self) -> Result:
        """Play the scenario to its end."""
        world, scenario = self.world, self.scenario
        failed, violation = "", None
        try:
            if scenario.prepare is not None:
                scenario.prepare(self)
            for host in world.hosts.values():
                if host.number not in self.absent:
                    host.start()
            if scenario.unreliable:
                self.reliable(reliable=False)
            self.spawn(scenario.script(self, **scenario.options))
            failed = self._playing.run(scenario.limit_us)
            self.judge.finish()
        except Failed as error:
            failed = str(error)
        except Violation as error:
            violation = error
        except AssertionError as error:
            violation = broken_assertion(error)
        timeline = world.timeline
        return Result(
            scenario,
            self.seed,
            failed,
            violation,
            self.budgets,
            timeline.happened,
            timeline.hash,
            timeline.now_us,
            story=world.lines() if failed or violation else tuple(self.explained),
        )
