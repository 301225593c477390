"""X-E11: a group grows from one node to three and five, and shrinks back to one, under load."""

from typing import Final

from pnyx.lab.scenario import Script, Until, scenario
from pnyx.lab.scenarios.changing import (
    add_of,
    added,
    changed,
    is_gone,
    members,
    node_of,
    numbers_of,
)
from pnyx.lab.scenarios.load import began, converge
from pnyx.lab.stage import WorldStage
from pnyx.replica.changes import Remove
from pnyx.replica.requests import NotDone, Reason

LARGEST: Final = 5
GAP_US: Final = 200_000
CHANGE_US: Final = 3_000_000


@scenario(
    "X-E11",
    about="growing from one to five and shrinking back, leaders included, stops no writes",
    source="dissertation §4.1, §4.3; bugs E4, E6, E7",
    nodes=1,
)
def grow_and_shrink(stage: WorldStage) -> Script:
    """Add four nodes one by one, then remove four of the five in any order."""
    load, leader = yield from began(stage)
    here = [leader]
    load.pulse(here)
    since_us = stage.now_us
    while len(here) < LARGEST:
        new = added(stage)
        yield from changed(stage, add_of(stage, new), CHANGE_US)
        here.append(new)
        load.aim(here)
        stage.check(numbers_of(stage, members(stage).voters) == here, f"{members(stage)}")
    while len(here) > 1:
        victim = here[stage.below(len(here), "victim")]
        here.remove(victim)
        load.aim(here)
        yield from changed(stage, Remove(node_of(stage, victim)), CHANGE_US)
        yield from is_gone(stage, victim, "was removed from its group")
        yield Until(lambda: stage.leader() is not None, stage.election_us)
        stage.check(numbers_of(stage, members(stage).voters) == here, f"{members(stage)}")
    last = stage.change(here[0], Remove(node_of(stage, here[0])))
    stage.check(last.answer == NotDone(Reason.LAST_VOTER), f"the last voter: {last.answer}")
    stage.budget("us without an acknowledged write", load.longest_gap_us(since_us), GAP_US)
    yield from converge(load)
