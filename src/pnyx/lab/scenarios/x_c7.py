"""X-C7: two halves that hear each other only through a fifth node, the bridge."""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import beyond
from pnyx.lab.scenarios.connectivity import mend_and_judge
from pnyx.lab.scenarios.load import began, top_term
from pnyx.lab.stage import WorldStage

LASTS_US: Final = 2_500_000
GAP_US: Final = 100_000


@scenario(
    "X-C7",
    about="with a bridge between two halves the leader leads on, wherever it is",
    source="Jepsen's bridge; OmniPaxos, EuroSys 2023, §2; bug C13",
    nodes=5,
)
def bridge(stage: WorldStage) -> Script:
    """Cut two nodes from two others; the leader is one of them or the bridge."""
    load, leader = yield from began(stage)
    first = stage.below(5, "bridge")
    hub, *rest = (beyond(stage, leader, first + steps) for steps in range(5))
    load.aim((hub, leader))
    load.pulse((hub, leader))
    term, since_us = top_term(stage), stage.now_us
    stage.partition(tuple(rest[:2]), tuple(rest[2:]))
    yield Sleep(LASTS_US)
    stage.budget("terms with the bridge", top_term(stage) - term, 0)
    stage.check(stage.leaders() == [leader], f"{stage.leaders()} lead, not n{leader}")
    stage.budget("us without an acknowledged write", load.longest_gap_us(since_us), GAP_US)
    load.aim(sorted(stage.world.processes))
    yield from mend_and_judge(load)
