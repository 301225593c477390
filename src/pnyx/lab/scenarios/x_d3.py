"""X-D3: a disk answers with EIO: its node stops with a sentence, the group goes on.

What a failed sync left in memory may look written and be lost: no node may go on with it.
"""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, Until, scenario
from pnyx.lab.scenarios.agreement import beyond, everybody
from pnyx.lab.scenarios.connectivity import ELECTIONS_MAX, WAIT_US
from pnyx.lab.scenarios.load import began, converge, over, served
from pnyx.lab.stage import WorldStage
from pnyx.lab.surroundings import Condition

EIO: Final = 5
LASTS_US: Final = 1_000_000
STOP_US: Final = 1_000_000


@scenario(
    "X-D3",
    about="a node whose disk fails stops and loses nothing acknowledged, and the group goes on",
    source="fsyncgate 2018; bug A3",
    nodes=3,
)
def disk_fails(stage: WorldStage) -> Script:
    """Let the leader's disk fail, then a follower's; each is repaired before the next."""
    load, leader = yield from began(stage)
    for steps in (0, 1 + stage.below(2, "follower")):
        leader = stage.leader() or leader
        victim = beyond(stage, leader, steps)
        process = stage.process(victim)
        process.disk.error = EIO
        writes = [load.write(leader, b"eio.%d" % number) for number in range(3)]
        stopped = yield Until(lambda: process.condition is Condition.FAILED, STOP_US)  # noqa: B023
        stage.check(stopped, f"n{victim} goes on with a disk that fails")
        why = process.why_failed
        stage.check("write-ahead log" in why, f"n{victim} stopped and says: {why}")
        others = [node for node in everybody(stage) if node != victim]
        took_us = yield from served(load, others, WAIT_US)
        stage.budget("us until the others serve", took_us, ELECTIONS_MAX * stage.election_us)
        yield Sleep(LASTS_US)
        yield over(*writes)
        stage.restart(victim)
        took_us = yield from served(load, (victim,), WAIT_US)
        stage.budget("us until it serves again", took_us, 2 * stage.election_us)
    yield from converge(load)
