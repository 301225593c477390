"""X-T6: all wall clocks jump a year back: the group's time never does, and goes on meanwhile."""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import everybody
from pnyx.lab.scenarios.connectivity import ELECTIONS_MAX, WAIT_US
from pnyx.lab.scenarios.grouptime import HOUR_MS, YEAR_US, gone, keys_are_there, watched
from pnyx.lab.scenarios.load import began, converge, over, served
from pnyx.lab.stage import WorldStage

KEYS: Final = 5
PAUSE_US: Final = 300_000
SECOND_MS: Final = 1_000
GONE_US: Final = 2_500_000
"""Time goes on at half its speed, and reads at a new leader wait for its first entry."""


@scenario(
    "X-T6",
    about="when clocks jump a year back the group's time goes on, across a change of the leader",
    source="replica/clock.py; bug D6, S12",
    nodes=3,
)
def year_back(stage: WorldStage) -> Script:
    """Set the clocks back one by one; keys of a second still go, those of an hour stay."""
    load, leader = yield from began(stage)
    time = watched(stage)
    keys = [b"hour.%d" % number for number in range(KEYS)]
    yield over(*(load.write(leader, key, HOUR_MS) for key in keys))
    for node in everybody(stage):
        stage.process(node).clock.jump(-YEAR_US)
        yield Sleep(PAUSE_US)
    yield over(load.write(leader, b"second", SECOND_MS))
    yield from gone(load, leader, b"second", GONE_US)
    stage.crash(leader)
    others = tuple(node for node in everybody(stage) if node != leader)
    took_us = yield from served(load, others, WAIT_US)
    stage.budget("us until the others serve", took_us, ELECTIONS_MAX * stage.election_us)
    yield over(load.write(others[0], b"second", SECOND_MS))
    yield from gone(load, others[0], b"second", GONE_US)
    stage.restart(leader)
    yield from keys_are_there(load, everybody(stage), keys)
    time.is_over = True
    yield from converge(load)
