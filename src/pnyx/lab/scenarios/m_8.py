"""M-8: the log stays small under increments, and a snapshot carries the counter over a crash."""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import everybody
from pnyx.lab.scenarios.counter import (
    Tally,
    crash_all,
    one_inc,
    replicas_show,
    restart_all,
)
from pnyx.lab.stage import WorldStage

COUNT: Final = 100
STATE_MAX: Final = 1_000
"""What the original calls maxraftstate."""
COMPACT_BYTES: Final = 400
"""The same in bytes of payloads, without the 48 bytes before each."""


@scenario(
    "M-8",
    about="the log stays within twice its limit, and snapshot and log make the state again",
    source="MIT 6.5840 lab 4C, TestSnapshot4C",
    nodes=3,
    compact_bytes=COMPACT_BYTES,
)
def snapshot(stage: WorldStage) -> Script:
    """Add a hundred, look at the logs each time; crash all, restart, add one."""
    tally = Tally()
    largest = 0
    for _ in range(COUNT):
        yield from one_inc(stage, tally)
        largest = max(largest, *map(stage.state_bytes, everybody(stage)))
    yield from replicas_show(stage, tally)
    stage.budget("bytes of Raft state", largest, 2 * STATE_MAX)
    crash_all(stage)
    yield Sleep(0)
    restart_all(stage)
    after = yield from one_inc(stage, tally)
    stage.check(after == COUNT + 1, f"the counter became {after}")
    yield from replicas_show(stage, tally)
