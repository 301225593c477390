"""K-X1: writes are as fast with a heartbeat of 500 ms as with one of 50 ms."""

from dataclasses import replace
from typing import Final

from pnyx.consensus.member.settings import MemberSettings
from pnyx.lab.scenario import Scenario, Script, add
from pnyx.lab.scenarios.sequence import beside, speed, writes
from pnyx.lab.stage import WorldStage

COUNT: Final = 200
DIFFERENCE_MAX: Final = 0.1


def compare(stage: WorldStage) -> Script:
    """Write with a fast heartbeat, then with a slow one."""
    fast_ms = yield from writes(stage, COUNT)
    stage.budget("ms per write, heartbeat 50 ms", fast_ms, MemberSettings().heartbeat_ms)
    beside(stage, SLOW)
    slow_ms = stage.budgets[-1].used
    difference = abs(slow_ms - fast_ms) / fast_ms
    stage.budget("% of difference", 100 * difference, 100 * DIFFERENCE_MAX)


FAST: Final = add(
    Scenario(
        "K-X1",
        "the mean latency of 200 writes hardly differs between heartbeats of 50 and of 500 ms",
        "replication never waits for a heartbeat",
        3,
        compare,
    )
)
SLOW: Final = replace(
    FAST,
    id="K-X1 with slow heartbeats",
    script=speed,
    raft=MemberSettings(heartbeat_ms=500, election_ms_min=1_500, election_ms_max=3_000),
    options={"count": COUNT, "ms_max": 500},
)
