"""M-7: commands of an earlier life are not confused with those of the next."""

from pnyx.lab.scenario import Script, scenario
from pnyx.lab.scenarios.counter import Tally, one_inc, replicas_show, restart_all
from pnyx.lab.scenarios.restarts import replay_all, shut_down
from pnyx.lab.stage import WorldStage


@scenario(
    "M-7",
    about="commands of an earlier life are not confused with those of the next",
    source="MIT 6.5840 lab 4A, TestRestartSubmit4A",
    nodes=3,
)
def restart_submit(stage: WorldStage) -> Script:
    """M-5, then M-6, then one more."""
    tally = Tally()
    yield from replay_all(stage, tally)
    yield from shut_down(stage)
    restart_all(stage)
    yield from one_inc(stage, tally)
    yield from replicas_show(stage, tally)
