"""X-T5: one wall clock jumps a year ahead, the leader's or a follower's: no key goes too early.

The group's time is a median of a quorum's clocks (replica/clock.py), so one clock moves nothing,
whoever leads then.
"""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import everybody, one_leader
from pnyx.lab.scenarios.connectivity import ELECTIONS_MAX, WAIT_US
from pnyx.lab.scenarios.grouptime import HOUR_MS, YEAR_US, gone, keys_are_there, watched
from pnyx.lab.scenarios.load import began, converge, over, served
from pnyx.lab.stage import WorldStage

KEYS: Final = 5
LASTS_US: Final = 1_000_000
AHEAD_MS_MAX: Final = 100
SECOND_MS: Final = 1_000
GONE_US: Final = 2_500_000
"""Time goes on at half its speed at least."""


@scenario(
    "X-T5",
    about="a clock a year ahead expires no key early, as leader's or follower's, and time goes on",
    source="replica/clock.py; bug D6, S12",
    nodes=3,
)
def year_ahead(stage: WorldStage) -> Script:
    """Let one clock jump ahead; read keys of an hour, under that leader and another."""
    load, leader = yield from began(stage)
    time = watched(stage)
    keys = [b"hour.%d" % number for number in range(KEYS)]
    yield over(*(load.write(leader, key, HOUR_MS) for key in keys))
    jumped = 1 + stage.below(3, "jumped")
    stage.process(jumped).clock.jump(YEAR_US)
    yield Sleep(LASTS_US)
    yield from keys_are_there(load, everybody(stage), keys)
    # Whoever was right is away now: the one that is ahead and another are the quorum.
    right = (yield from one_leader(stage)) if jumped != leader else leader % 3 + 1
    stage.crash(right)
    others = tuple(node for node in everybody(stage) if node != right)
    took_us = yield from served(load, others, WAIT_US)
    stage.budget("us until the two serve", took_us, ELECTIONS_MAX * stage.election_us)
    yield Sleep(LASTS_US)
    yield from keys_are_there(load, others, keys)
    yield over(load.write(others[0], b"second", SECOND_MS))
    yield from gone(load, others[0], b"second", GONE_US)
    stage.restart(right)
    yield from keys_are_there(load, everybody(stage), keys)
    stage.budget("ms that the group's time was ahead", time.ahead_ms_max, AHEAD_MS_MAX)
    time.is_over = True
    yield from converge(load)
