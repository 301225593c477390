"""M-6: whoever waits at nodes that stop is told."""

from pnyx.lab.scenario import Script, scenario
from pnyx.lab.scenarios.counter import Tally, one_inc
from pnyx.lab.scenarios.restarts import shut_down
from pnyx.lab.stage import WorldStage


@scenario(
    "M-6",
    about="whoever waits at nodes that stop is told, at once",
    source="MIT 6.5840 lab 4A, TestShutdown4A",
    nodes=3,
)
def shutdown(stage: WorldStage) -> Script:
    """Send a hundred commands, stop all nodes 20 ms later, with a hundred more just sent."""
    yield from one_inc(stage, Tally())
    yield from shut_down(stage)
