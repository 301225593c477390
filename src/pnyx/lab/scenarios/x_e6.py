"""X-E6: changes that are asked for while another is under way are refused, not mixed."""

from typing import Final

from pnyx.lab.scenario import Script, Until, scenario
from pnyx.lab.scenarios.agreement import beyond, everybody
from pnyx.lab.scenarios.changing import add_of, added, changed, members, node_of, numbers_of
from pnyx.lab.scenarios.load import began, converge
from pnyx.lab.stage import WorldStage
from pnyx.replica.changes import Promote, Remove
from pnyx.replica.requests import Done, Elsewhere, NotDone, Reason

CHANGE_US: Final = 3_000_000
GAP_US: Final = 150_000


@scenario(
    "X-E6",
    about="one change at a time: whoever asks meanwhile is told so, and may ask again after it",
    source="dissertation §4.3; bugs E10, E1",
    nodes=3,
)
def two_changes(stage: WorldStage) -> Script:
    """Ask for three changes at once; then for the second again."""
    load, leader = yield from began(stage)
    load.pulse(everybody(stage))
    since_us = stage.now_us
    first, second = added(stage), added(stage)
    follower = beyond(stage, leader, 1)
    kept = stage.change(leader, add_of(stage, first))
    for change in (
        add_of(stage, second),
        Remove(node_of(stage, follower)),
        Promote(node_of(stage, second)),
    ):
        refused = stage.change(leader, change)
        stage.check(refused.answer == NotDone(Reason.CHANGING), f"{change}: {refused.answer}")
    strayed = stage.change(follower, Remove(node_of(stage, leader)))
    expected = Elsewhere(node_of(stage, leader))
    stage.check(strayed.answer == expected, f"a follower said {strayed.answer}")
    yield Until(lambda: kept.over, CHANGE_US)
    stage.check(isinstance(kept.answer, Done), f"the first change was told {kept.answer}")
    stage.check(numbers_of(stage, members(stage).voters) == [1, 2, 3, first], f"{members(stage)}")
    yield from changed(stage, add_of(stage, second), CHANGE_US)
    voters = numbers_of(stage, members(stage).voters)
    stage.check(voters == [1, 2, 3, first, second], f"{members(stage)}")
    stage.budget("us without an acknowledged write", load.longest_gap_us(since_us), GAP_US)
    yield from converge(load)
