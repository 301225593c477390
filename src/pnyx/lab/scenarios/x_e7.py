"""X-E7: the leader is cut off in the middle of a change: all roll it back, or all complete it.

How far the change has come when the links are cut is drawn. Its answer may be unknown, but never
`Done` for what was rolled back.
"""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, Until, scenario
from pnyx.lab.scenarios.agreement import beyond, everybody
from pnyx.lab.scenarios.changing import changed, is_gone, members, node_of
from pnyx.lab.scenarios.connectivity import ELECTIONS_MAX, WAIT_US
from pnyx.lab.scenarios.load import began, converge, served
from pnyx.lab.stage import WorldStage
from pnyx.replica.changes import Remove
from pnyx.replica.requests import Done

ROUND_TRIPS_US: Final = 1_500
"""Two entries and their way to a majority's disks: the cut may come before, between and after."""
LASTS_US: Final = 1_000_000
ANSWER_US: Final = 8_000_000


@scenario(
    "X-E7",
    about="a change that a partition interrupts is rolled back or completed, everywhere alike",
    source="dissertation §4.1, §4.3; bugs E2, E4",
    nodes=5,
)
def change_in_partition(stage: WorldStage) -> Script:
    """Begin to remove a follower, cut the leader off with another, heal, look, ask again."""
    load, leader = yield from began(stage)
    beside = beyond(stage, leader, 1)
    three = [beyond(stage, leader, steps) for steps in (2, 3, 4)]
    victim = three[0]
    node = node_of(stage, victim)
    call = stage.change(leader, Remove(node))
    yield Sleep(stage.below(ROUND_TRIPS_US, "cut"))
    stage.partition((leader, beside), tuple(three))
    yield Sleep(LASTS_US)
    stage.heal()
    rest = [number for number in everybody(stage) if number != victim]
    took_us = yield from served(load, rest, WAIT_US, each=True)
    stage.budget("us until all serve", took_us, ELECTIONS_MAX * stage.election_us)
    over = yield Until(lambda: call.over, ANSWER_US)
    stage.check(over, f"who asked for the change still waits after {ANSWER_US / 1e6:g} s")
    yield Until(lambda: stage.leader() is not None and not members(stage).outgoing, WAIT_US)
    is_member = members(stage).has(node)
    stage.check(
        not (is_member and isinstance(call.answer, Done)),
        f"n{victim} was told to be removed, and is a member",
    )
    stage.budget("changes rolled back", int(is_member), 1)
    yield from changed(stage, Remove(node))
    yield from is_gone(stage, victim, "was removed from its group")
    yield from converge(load)
