"""M-5: a hundred increments survive a power loss of all."""

from pnyx.lab.scenario import Script, Stage, scenario
from pnyx.lab.scenarios.counter import Tally
from pnyx.lab.scenarios.restarts import replay_all


@scenario(
    "M-5",
    about="what was acknowledged is there again when all nodes have restarted",
    source="MIT 6.5840 lab 4A, TestRestartReplay4A",
    nodes=3,
    real=True,
)
def restart_replay(stage: Stage) -> Script:
    """Add, crash all, restart all, add."""
    yield from replay_all(stage, Tally())
