"""S-X2: the crash matrix of a move, a scenario a cell: somebody is lost in each of its steps.

Ids end in the number of the cell, as in S-X2-1; whoever adds one adds it at the end. In all of them
clerks with sessions count in the shard that moves, ask anew what was not answered, and must be told
the next number each time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from pnyx.lab.layout import apart
from pnyx.lab.network import RELIABLE, Profile
from pnyx.lab.scenario import Script, Sleep, Until
from pnyx.lab.scenarios.counting import Counting
from pnyx.lab.scenarios.fleet import Fleet, fleet_scenario, ledgers_of, manned
from pnyx.lab.scenarios.tripwire import Step, Tripwire
from pnyx.lab.stage import WorldStage
from pnyx.replica.limits import MigrationLimits
from pnyx.replica.roster import CONTROL

SOURCE: Final = 100
DESTINATION: Final = 101
SHARDS: Final = 4
LIMITS: Final = MigrationLimits(chunk_bytes=400, freeze_bytes=4_000)
"""A few chunks, and several changes at a time."""
DOWN_US: Final = 700_000
"""Whoever is lost is away for so long: others were elected meanwhile."""
REACHED_US: Final = 10_000_000

Victims = Callable[[Fleet], list[int]]


class Fate(Enum):
    """What becomes of those that are lost."""

    POWER = "lose their power"
    CUT = "run on, cut off from everybody"
    FOR_EVER = "never come back"


@dataclass(frozen=True, slots=True)
class Cell:
    """Who is lost, and when."""

    who: str
    step: Step
    victims: Victims
    moves: int = 1
    profile: Profile = RELIABLE
    lagging: int = 0
    """A follower of this group is cut off from before the move to its `step`."""
    fate: Fate = Fate.POWER
    until: Callable[[Fleet, int], bool] | None = None
    """Whoever is lost stays away until this is so of the fleet and the shard; None: `DOWN_US`."""


def cell_of(cell: Cell) -> Callable[[WorldStage], Script]:
    """Return the script of a cell."""

    def script(stage: WorldStage) -> Script:
        fleet = yield from manned(stage)
        yield from fleet.joined(SOURCE, DESTINATION)
        directory = yield from fleet.operator.directory()
        shard = next(at for at, each in enumerate(directory.shards) if each.group == SOURCE)
        counting = Counting(fleet, shard)
        yield from counting.begin()
        yield Sleep(100_000)
        yield from _move(fleet, cell, shard)
        yield Sleep(100_000)
        yield from counting.end()
        yield from fleet.settled()
        yield from counting.check()

    return script


def _move(fleet: Fleet, cell: Cell, shard: int) -> Script:
    stage = fleet.stage
    lost: list[int] = []
    away = _followers(fleet, cell.lagging)[:1] if cell.lagging else []

    def strike() -> None:
        lost.extend(_lose(fleet, cell))
        if away:
            stage.rejoin(away[0])

    for node in away:
        stage.isolate(node)
    wire = Tripwire(SOURCE, DESTINATION, shard, cell.step, strike)
    stage.world.watches.add(wire)
    yield from fleet.operator.move(shard, DESTINATION)
    reached = yield Until(lambda: wire.reached, REACHED_US)
    stage.check(reached, f"the move never came to {cell.step.name}")
    if cell.until is not None:
        until = cell.until
        came = yield Until(lambda: until(fleet, shard), REACHED_US)
        stage.check(came, f"it did not go on without {cell.who}")
    yield Sleep(DOWN_US)
    for node in lost if cell.fate is not Fate.FOR_EVER else []:
        stage.rejoin(node)
        stage.restart(node)
    for turn in range(1, cell.moves):
        yield from fleet.settled()
        yield from fleet.operator.move(shard, SOURCE if turn % 2 else DESTINATION)
    yield from fleet.settled()


def _lose(fleet: Fleet, cell: Cell) -> list[int]:
    stage, lost = fleet.stage, [node for node in cell.victims(fleet) if fleet.stage.running(node)]
    for node in lost:
        if cell.fate is Fate.CUT:
            stage.isolate(node)
        else:
            stage.crash(node)
    return lost


def _followers(fleet: Fleet, *groups: int) -> list[int]:
    return [node for group in groups for node in fleet.nodes(group) if node != fleet.leader(group)]


def _leader(group: int) -> Victims:
    return lambda fleet: [fleet.leader(group) or fleet.nodes(group)[0]]


def _quorum(group: int) -> Victims:
    return lambda fleet: _followers(fleet, group)


def _all(group: int) -> Victims:
    return lambda fleet: fleet.nodes(group)


def _controllers(fleet: Fleet) -> list[int]:
    return list(fleet.layout.controllers)


def _everybody(fleet: Fleet) -> list[int]:
    return list(range(1, fleet.layout.nodes + 1))


def _is_there(fleet: Fleet, shard: int) -> bool:
    ledgers = ledgers_of(fleet.stage)
    assert ledgers is not None, "a fleet is judged"
    return ledgers.owner(shard) == DESTINATION


def _nobody(_: Fleet) -> list[int]:
    return []


def _control_leader(fleet: Fleet) -> list[int]:
    return [fleet.stage.leader(CONTROL) or 1]


_REPLAYING: Final = Profile(duplicate=0.3, replay=0.2)

_STEPS: Final = tuple(step for step in Step if step is not Step.ACTIVATING)

CELLS: Final = (
    *(Cell("the source's leader", step, _leader(SOURCE)) for step in _STEPS),
    *(Cell("the destination's leader", step, _leader(DESTINATION)) for step in _STEPS),
    Cell("the source's quorum", Step.COPYING, _quorum(SOURCE)),
    Cell("the source's quorum", Step.ACTIVATED, _quorum(SOURCE)),
    Cell("the destination's quorum", Step.FROZEN, _quorum(DESTINATION)),
    Cell("all of the source", Step.COPYING, _all(SOURCE)),
    Cell("all of the source", Step.FROZEN, _all(SOURCE)),
    Cell("all of the destination", Step.FROZEN, _all(DESTINATION)),
    Cell("the controller's leader", Step.ACTIVATED, _control_leader),
    Cell("all of the controller", Step.BEGUN, _controllers),
    Cell("all of the controller", Step.ACTIVATED, _controllers),
    Cell("nobody, but old messages come again,", Step.DONE, _nobody, 4, _REPLAYING),
    *(
        Cell(f"contact to a follower of {name} before", step, _nobody, lagging=group)
        for name, group in (("the source", SOURCE), ("the destination", DESTINATION))
        for step in (Step.COPYING, Step.FROZEN, Step.DONE)
    ),
    Cell("the source's leader", Step.ACTIVATING, _leader(SOURCE)),
    Cell("the destination's leader", Step.ACTIVATING, _leader(DESTINATION)),
    Cell("the source's quorum", Step.ACTIVATING, _quorum(SOURCE)),
    Cell("the destination's quorum", Step.ACTIVATING, _quorum(DESTINATION)),
    *(
        Cell(f"contact to {whose} leader", step, _leader(group), fate=Fate.CUT)
        for whose, group in (("the source's", SOURCE), ("the destination's", DESTINATION))
        for step in (Step.FREEZING, Step.FROZEN, Step.ACTIVATING)
    ),
    Cell("all of the source", Step.FREEZING, _all(SOURCE)),
    Cell("all of the destination", Step.ACTIVATING, _all(DESTINATION)),
    *(Cell("everybody", step, _everybody) for step in (Step.FREEZING, Step.ACTIVATING)),
    Cell("the controller all along", Step.BEGUN, _controllers, until=_is_there),
    Cell("all of the source for ever", Step.ACTIVATING, _all(SOURCE), fate=Fate.FOR_EVER),
)

for _number, _cell in enumerate(CELLS, start=1):
    fleet_scenario(
        f"S-X2-{_number}",
        about=f"a move to {_cell.step.name} in which {_cell.who} is lost counts nothing twice",
        source="sharding: the crash matrix of a move",
        layout=apart((SOURCE, DESTINATION), shards=SHARDS),
        compact_bytes=4_000,
        migration=LIMITS,
        profile=_cell.profile,
        unreliable=_cell.profile is not RELIABLE,
    )(cell_of(_cell))
