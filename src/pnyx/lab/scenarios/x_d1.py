"""X-D1: the leader's disk hangs: somebody else leads, and whoever waited learns it is unknown.

Heartbeats need no disk, so such a leader would be followed for ever (consensus/raft/leader.py).
"""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, Until, scenario
from pnyx.lab.scenarios.agreement import everybody
from pnyx.lab.scenarios.connectivity import WAIT_US
from pnyx.lab.scenarios.load import began, converge, over, served, top_term
from pnyx.lab.stage import WorldStage
from pnyx.replica.requests import Unknown

STUCK: Final = 5
LASTS_US: Final = 2_000_000
ELECTIONS_MAX: Final = 2
"""Election timeouts until another serves: one until the hang is noticed, and a vote."""
TERMS_MAX: Final = 2


@scenario(
    "X-D1",
    about="a leader whose disk hangs hands over, its open writes end unknown, and it comes back",
    source="consensus/raft/leader.py; bug C12",
    nodes=3,
)
def leaders_disk_hangs(stage: WorldStage) -> Script:
    """Let the leader's disk hang under writes, and go on two seconds later."""
    load, leader = yield from began(stage)
    others = [node for node in everybody(stage) if node != leader]
    term, hung_us = top_term(stage), stage.now_us
    stage.world.hang_disk(leader)
    stuck = [load.write(leader, b"stuck.%d" % number) for number in range(STUCK)]
    allowed_us = ELECTIONS_MAX * stage.election_us
    took_us = yield from served(load, others, WAIT_US)
    stage.budget("us until another node serves", took_us, allowed_us)
    yield over(*stuck)
    told_us = max(each.answered_us or stage.now_us for each in stuck) - hung_us
    stage.budget("us until who waited was told", told_us, allowed_us)
    answers = [each.answer for each in stuck]
    stage.check(answers == [Unknown()] * STUCK, f"writes at the stuck leader: {answers}")
    yield Sleep(LASTS_US)
    stage.check(leader not in stage.leaders(), f"n{leader} leads with a disk that hangs")
    stage.budget("terms", top_term(stage) - term, TERMS_MAX, 1)
    stage.world.release_disk(leader)
    released_us = stage.now_us
    yield Until(lambda: stage.log_end(leader) == stage.log_end(stage.leader() or 1), WAIT_US)
    took_us = stage.now_us - released_us
    stage.budget("us until it is back when its disk is", took_us, stage.election_us)
    yield from converge(load)
