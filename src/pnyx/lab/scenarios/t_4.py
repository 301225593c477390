"""T-4 and T-5: eleven clients append, read, and move shards wherever they like."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pnyx.lab.network import MIT_UNRELIABLE
from pnyx.lab.scenario import Script, Sleep, Until
from pnyx.lab.scenarios.clerks import Clerk, Notes
from pnyx.lab.scenarios.fleet import CLASSROOM, Fleet, Planner, manned
from pnyx.lab.scenarios.veterans import Hurts, veteran
from pnyx.lab.stage import WorldStage

CLIENTS: Final = 11
ROUNDS: Final = 3
THINK_US: Final = 30_000
AFTER_US: Final = 500_000
"""The longest pause of whoever has done its three rounds, and goes on as long as nodes are hurt."""
END_US: Final = 120_000_000


@dataclass(slots=True, eq=False)
class Mover:
    """One of them, with a key of its own."""

    fleet: Fleet
    number: int
    lossy: bool
    rounds: int = 0
    notes: Notes = field(init=False)
    planner: Planner = field(init=False)

    def __post_init__(self) -> None:
        """Have somebody to ask."""
        fleet, name = self.fleet, f"mover {self.number}"
        self.notes = Notes(Clerk(fleet, name, self.lossy), [b"%d" % self.number])
        among = fleet.layout.controllers
        self.planner = Planner(fleet.stage, f"{name}'s moves", self.lossy, among)

    def run(self, over: Callable[[], bool]) -> Script:
        """Do three rounds at least, and go on until it is over."""
        stage, (key,) = self.fleet.stage, self.notes.keys
        while self.rounds < ROUNDS or not over():
            yield from self.notes.append(key)
            yield from self.notes.check()
            shard = stage.below(self.fleet.layout.shards, f"shard of {self.number}")
            group = CLASSROOM[stage.below(len(CLASSROOM), f"group of {self.number}")]
            yield from self.planner.move(shard, group)
            self.rounds += 1
            pause_us = THINK_US if self.rounds < ROUNDS else AFTER_US
            yield Sleep(stage.below(pause_us, f"pause of {self.number}"))


def append_and_move(stage: WorldStage, hurting: type[Hurts], times: int) -> Script:
    """Hurt a replica so many times meanwhile; in the end every key is right."""
    fleet = yield from manned(stage)
    yield from fleet.joined(*CLASSROOM)
    movers = [Mover(fleet, number, stage.scenario.unreliable) for number in range(CLIENTS)]
    over: list[bool] = []
    ended = [False] * CLIENTS

    def go(mover: Mover) -> Script:
        yield from mover.run(lambda: bool(over))
        ended[mover.number] = True

    for mover in movers:
        stage.spawn(go(mover))
    hurts = hurting(fleet)
    for turn in range(times):
        yield from hurts.each(CLASSROOM[turn % len(CLASSROOM)])
    over.append(True)
    yield Until(lambda: all(ended), END_US)
    stage.check(all(ended), f"{ended.count(False)} clients still wait")
    yield from fleet.settled()
    for mover in movers:
        mover.notes.clerk.lossy = False
        yield from mover.notes.check()


@veteran("T-4", "TestConcurrent", about="eleven clients append, read and move shards at once")
def concurrent(stage: WorldStage) -> Script:
    """Three rounds each."""
    yield from append_and_move(stage, Hurts, 0)


@veteran(
    "T-5",
    "TestConcurrentUnreliable",
    about="eleven clients append, read and move shards at once over unreliable links",
    profile=MIT_UNRELIABLE,
    unreliable=True,
)
def unreliable(stage: WorldStage) -> Script:
    """The same where one message in ten is lost."""
    yield from append_and_move(stage, Hurts, 0)
