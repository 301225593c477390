"""C-2: every configuration is remembered, whichever node is gone."""

from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.operators import controller_scenario, founded, settled
from pnyx.lab.stage import WorldStage
from pnyx.machine.configuration import Configuration


@controller_scenario(
    "C-2",
    about="all six configurations can be read while any one node is down",
    source="MIT 6.824 lab 4A, TestBasic: historical queries",
)
def history(stage: WorldStage) -> Script:
    """Make six; take one node after the other away and read all of them."""
    operator, carrier = yield from founded(stage)
    made: list[Configuration] = [(yield from operator.query())]
    made.append((yield from operator.join(1)))
    made.append((yield from operator.join(2)))
    made.append((yield from operator.join(3)))
    yield from settled(operator)
    made.append((yield from operator.leave(1)))
    yield from settled(operator)
    made.append((yield from operator.leave(2)))
    carrier.stopped = True
    for node in range(1, stage.nodes + 1):
        stage.crash(node)
        for configuration in made:
            told = yield from operator.query(configuration.number)
            stage.check(told == configuration, f"without {node}: {told} was {configuration}")
        stage.restart(node)
    stage.budget("configurations", made[-1].number + 1, 6, 6)
