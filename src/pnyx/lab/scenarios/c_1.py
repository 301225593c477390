"""C-1: groups join and leave one by one, and what comes twice changes nothing."""

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
from pnyx.machine.directives import Join, Leave


@controller_scenario(
    "C-1",
    about="after each join and leave exactly the right groups share the shards",
    source="MIT 6.824 lab 4A, TestBasic: basic leave/join",
)
def one_by_one(stage: WorldStage) -> Script:
    """Join 1 and 2, repeat it, let both leave, repeat that."""
    operator, carrier = yield from founded(stage)
    check(stage, (yield from operator.query()), [])
    check(stage, (yield from operator.join(1)), [1])
    newest = yield from operator.join(2)
    check(stage, newest, [1, 2])
    stage.check(newest.placements == placements(1, 2), f"nodes of {newest} are not as named")
    yield from operator.refused(Join(placements(2)))
    yield from settled(operator)
    check(stage, (yield from operator.leave(1)), [2])
    yield from operator.refused(Leave((GroupId(1),)))
    yield from vacate(operator)
    check(stage, (yield from operator.leave(2)), [])
    newest = yield from operator.query()
    stage.budget("configurations", newest.number, 4, 4)
    carrier.stopped = True
