"""X-E3: the leader is removed: it leads until that is committed, hands over, and stops."""

from typing import Final

from pnyx.lab.scenario import Script, scenario
from pnyx.lab.scenarios.agreement import everybody
from pnyx.lab.scenarios.changing import changed, is_gone, members, node_of, numbers_of
from pnyx.lab.scenarios.connectivity import WAIT_US
from pnyx.lab.scenarios.load import began, converge, served, top_term
from pnyx.lab.stage import WorldStage
from pnyx.replica.changes import Remove

GAP_US: Final = 150_000
"""No election timeout passes: the next leader is told to stand."""
TERMS: Final = 1


@scenario(
    "X-E3",
    about="a leader that is removed hands over without an election timeout, and stops",
    source="dissertation §3.10, §4.2.2; bug E6",
    nodes=5,
)
def remove_leader(stage: WorldStage) -> Script:
    """Remove whoever leads, until two are left."""
    load, leader = yield from began(stage)
    rest = list(everybody(stage))
    load.pulse(rest)
    for _ in range(3):
        leader = stage.leader() or leader
        rest.remove(leader)
        load.aim(rest)
        term, since_us = top_term(stage), stage.now_us
        yield from changed(stage, Remove(node_of(stage, leader)))
        yield from is_gone(stage, leader, "was removed from its group")
        yield from served(load, rest, WAIT_US)
        stage.check(numbers_of(stage, members(stage).voters) == rest, f"{members(stage)}")
        stage.budget("us without an acknowledged write", load.longest_gap_us(since_us), GAP_US)
        stage.budget("terms for one handing over", top_term(stage) - term, TERMS, 1)
    yield from converge(load)
