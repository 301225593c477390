"""C-14: the classroom's newer controller: twelve shards, and no server in two groups."""

from pnyx.ids import GroupId
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.operators import (
    check,
    controller_scenario,
    founded,
    placements,
    settled,
    vacate,
)
from pnyx.lab.stage import WorldStage
from pnyx.machine.configuration import Placement
from pnyx.machine.directives import Join, Leave

SHARDS = 12


@controller_scenario(
    "C-14",
    about="unknown groups, known ones that join again, and shared servers are refused",
    source="MIT 6.5840 lab 5A (2025), shardcfg TestBasic",
)
def refusals(stage: WorldStage) -> Script:
    """From nothing to two groups and back, with every refusal on the way."""
    operator, carrier = yield from founded(stage, SHARDS)
    check(stage, (yield from operator.query()), [])
    check(stage, (yield from operator.join(1)), [1])
    yield from operator.refused(Join(placements(1)))
    shared = Placement(GroupId(2), placements(1)[0].members)
    why = yield from operator.refused(Join((shared,)))
    stage.check("node 1.x would be in groups g1 and g2" in why, f"refused: {why}")
    check(stage, (yield from operator.join(2)), [1, 2])
    yield from settled(operator)
    check(stage, (yield from operator.leave(1)), [2])
    yield from settled(operator)
    yield from operator.refused(Leave((GroupId(1),)))
    why = yield from operator.refused(Leave((GroupId(2),)))
    stage.check("served by no group" in why, f"the last group was refused: {why}")
    yield from vacate(operator)
    newest = yield from operator.leave(2)
    check(stage, newest, [])
    stage.budget("configurations", newest.number, 4, 4)
    carrier.stopped = True
