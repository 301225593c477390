"""T-2: half of the shards move away from a group, which then hears nobody."""

from collections.abc import Callable, Sequence
from typing import Final

from pnyx.lab.scenario import Script, Sleep, Until
from pnyx.lab.scenarios.clerks import Clerk
from pnyx.lab.scenarios.fleet import CLASSROOM, Fleet
from pnyx.lab.scenarios.veterans import CALM_US, KEYS, begun, veteran
from pnyx.lab.stage import WorldStage

MOVED_US: Final = 5 * CALM_US
WITHIN_US: Final = 10 * CALM_US


def move_away(stage: WorldStage, lose: Callable[[WorldStage, Sequence[int]], None]) -> Script:
    """Some keys are answered while the group is lost, and all when it is back."""
    fleet, notes = yield from begun(stage)
    yield from fleet.join(CLASSROOM[1])
    yield Sleep(MOVED_US)
    yield from notes.check()
    nodes = fleet.nodes(CLASSROOM[0])
    lose(stage, nodes)
    right: list[bool] = []
    for key in notes.keys:
        stage.spawn(_read(fleet, key, notes.values[key], right))
    yield Sleep(WITHIN_US)
    # Strictly between a third and two thirds.
    stage.budget("keys answered", len(right), (2 * KEYS - 1) // 3, KEYS // 3 + 1)
    stage.heal()
    for node in nodes:
        stage.restart(node)
    back = yield Until(lambda: len(right) == KEYS, WITHIN_US)
    stage.check(back, f"{len(right)} of {KEYS} keys are answered when all are back")
    stage.check(all(right), "a client read something else than was put")


def _read(fleet: Fleet, key: bytes, expected: bytes, right: list[bool]) -> Script:
    value = yield from Clerk(fleet, f"of {key.decode()}").get(key)
    right.append(value == expected)


@veteran("T-2", "TestMove", about="more than a third and less than two thirds of the keys moved")
def move(stage: WorldStage) -> Script:
    """The group can speak, but hears nobody."""
    yield from move_away(stage, _deafen)


def _deafen(stage: WorldStage, nodes: Sequence[int]) -> None:
    for node in nodes:
        for other in stage.world.processes:
            if other != node:
                stage.cut(other, node)
