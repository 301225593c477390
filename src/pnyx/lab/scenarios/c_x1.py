"""C-X1: ten shards on three groups, a fourth joins: exactly two move."""

from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.operators import controller_scenario, founded, settled
from pnyx.lab.stage import WorldStage
from pnyx.machine.configuration import Configuration, moved


@controller_scenario(
    "C-X1",
    about="a fourth group beside 3, 3 and 4 shards gets exactly two, and gives two back",
    source="the original text of the shard controller",
)
def fourth(stage: WorldStage) -> Script:
    """Count the shards that change hands."""
    operator, carrier = yield from founded(stage)
    before = yield from operator.join(1, 2, 3)
    stage.check(_loads(before) == [3, 3, 4], f"three groups have {_loads(before)}")
    after = yield from operator.join(4)
    stage.check(_loads(after) == [2, 2, 3, 3], f"four groups have {_loads(after)}")
    stage.budget("moves to the fourth", len(moved(before.targets, after.targets)), 2, 2)
    yield from settled(operator)
    last = yield from operator.leave(4)
    stage.check(_loads(last) == [3, 3, 4], f"three groups have {_loads(last)}")
    stage.budget("moves from the fourth", len(moved(after.targets, last.targets)), 2, 2)
    yield from settled(operator)
    carrier.stopped = True


def _loads(configuration: Configuration) -> list[int]:
    return sorted(configuration.targets.count(group) for group in configuration.groups)
