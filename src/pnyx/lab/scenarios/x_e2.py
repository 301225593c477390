"""X-E2: a follower is removed under load: it stops with a sentence, and nobody else notices."""

from typing import Final

from pnyx.lab.scenario import Script, scenario
from pnyx.lab.scenarios.agreement import beyond, everybody
from pnyx.lab.scenarios.changing import changed, is_gone, members, node_of, numbers_of
from pnyx.lab.scenarios.load import began, converge, top_term
from pnyx.lab.stage import WorldStage
from pnyx.replica.changes import Remove

GAP_US: Final = 100_000
CHANGE_US_MAX: Final = 200_000


@scenario(
    "X-E2",
    about="a removed follower stops and says why, and neither writes nor terms feel it",
    source="dissertation §4.2.3; bug C15",
    nodes=5,
)
def remove_follower(stage: WorldStage) -> Script:
    """Remove one of four followers."""
    load, leader = yield from began(stage)
    victim = beyond(stage, leader, 1 + stage.below(4, "victim"))
    rest = [node for node in everybody(stage) if node != victim]
    load.pulse(rest)
    term, since_us = top_term(stage), stage.now_us
    yield from changed(stage, Remove(node_of(stage, victim)))
    stage.budget("us until it is removed", stage.now_us - since_us, CHANGE_US_MAX)
    stage.check(numbers_of(stage, members(stage).voters) == rest, f"{members(stage)}")
    yield from is_gone(stage, victim, "was removed from its group")
    stage.budget("us without an acknowledged write", load.longest_gap_us(since_us), GAP_US)
    stage.budget("terms", top_term(stage) - term, 0)
    # Started again by somebody who does not know, it is told, and disturbs nobody.
    stage.restart(victim)
    yield from is_gone(stage, victim, "was removed from its group")
    stage.budget("terms after it was started again", top_term(stage) - term, 0)
    yield from converge(load)
