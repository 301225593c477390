"""One stormy run for tests: clients ask while nodes crash, lose power and are cut off, by hand."""

from dataclasses import dataclass, field, replace
from typing import Final

from pnyx.consensus.engines import EngineName
from pnyx.consensus.member.settings import MemberSettings
from pnyx.lab.invariants.checker import Invariants
from pnyx.lab.invariants.invariant import Marks
from pnyx.lab.process import Process
from pnyx.lab.timeline import NOWHERE
from pnyx.lab.watch import Violation, Watch
from pnyx.lab.witness import Witness
from pnyx.lab.workload import Clients, WorkloadSettings
from pnyx.lab.world import World, WorldSettings
from pnyx.replica.limits import ReplicaLimits

SECOND: Final = 1_000_000
SMALL_LOGS: Final = ReplicaLimits(
    flush_log_bytes=2_000,
    compact_log_bytes=4_000,
    tail_log_bytes=500,
    catchup_log_bytes=6_000,
)


@dataclass
class Storm:
    """A world, its clients, its judges."""

    seed: int
    nodes: int = 3
    raft: MemberSettings = field(default_factory=MemberSettings)
    limits: ReplicaLimits = field(default_factory=ReplicaLimits)
    load: WorkloadSettings = field(
        default_factory=lambda: WorkloadSettings(clients=2, think_us=80_000)
    )
    sync_us: int = 300
    consensus: EngineName = EngineName.RAFT

    def __post_init__(self) -> None:
        self.marks = Marks()
        self.invariants = Invariants(self.marks)
        self.witness = Witness(self.marks)
        self.clients = Clients(self.load)
        watches: list[Watch] = [self.invariants, self.witness]
        if self.load.clients:
            watches.append(self.clients)
        settings = WorldSettings(
            self.nodes,
            raft=self.raft,
            limits=self.limits,
            sync_us=self.sync_us,
            consensus=self.consensus,
        )
        self.world = World(self.seed, settings, watches)

    def begin(self) -> "Storm":
        self.world.start()
        self.clients.start(self.world)
        return self

    def leader(self) -> Process:
        return self.world.leader() or self.world.processes[1]

    def follower(self) -> Process:
        leader = self.leader()
        return next(each for each in self.world.processes.values() if each is not leader)

    def at(self, seconds: float, act: object) -> None:
        self.world.timeline.at(int(seconds * SECOND), "act", NOWHERE, act)  # type: ignore[arg-type]

    def rage(self) -> None:
        """Crash, cut and heal, for ten seconds."""
        world = self.world
        down: list[int] = []

        def lose_leader() -> None:
            down.append(self.leader().number)
            world.crash(down[-1], power=True)

        def kill_follower() -> None:
            down.append(self.follower().number)
            world.crash(down[-1], power=False)

        def restart() -> None:
            while down:
                world.restart(down.pop())

        def everybody() -> None:
            for number in world.processes:
                world.crash(number, power=True)
                down.append(number)

        def split() -> None:
            alone = self.leader().number
            world.partition([[alone], [each for each in world.processes if each != alone]])

        self.at(1.5, lose_leader)
        self.at(2.5, restart)
        self.at(3.0, split)
        self.at(5.0, world.heal)
        self.at(5.6, kill_follower)
        self.at(6.4, restart)
        self.at(6.8, everybody)
        self.at(7.0, restart)
        self.at(8.0, lambda: world.isolate(self.follower().number))
        self.at(9.0, world.heal)

    def run(self, seconds: float = 10) -> Violation | None:
        """Run, and look at everything once more; return what broke."""
        if self.world.run(int(seconds * SECOND)):
            try:
                for watch in (self.invariants, self.witness):
                    watch.finish(self.world.processes.values())
            except Violation as violation:
                self.world.violation = violation
        return self.world.violation


def storm(seed: int, nodes: int = 3, **changes: object) -> Storm:
    """Return a storm that rages."""
    made = replace(Storm(seed, nodes), **changes).begin()  # type: ignore[arg-type]
    made.rage()
    return made
