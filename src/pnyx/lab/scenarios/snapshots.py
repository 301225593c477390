"""Snapshots every ten commands: a victim misses a batch, and its log's beginning with it."""

from typing import Final

from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.agreement import (
    agree,
    beyond,
    everybody,
    numbered,
    one_leader,
    same_everywhere,
)
from pnyx.lab.stage import WorldStage

ITERATIONS: Final = 30
INTERVAL: Final = 10
"""Commands from one snapshot to the next."""
STATE_BYTES_MAX: Final = 2_000
COMPACT_BYTES: Final = 39 * INTERVAL
"""Payload bytes of so many commands: the product counts bytes, not commands."""
LOOK_US: Final = 20_000
"""How long after an agreement the state is measured: the original looks every 20 ms, and a flush
takes two."""


def batch_size(stage: WorldStage) -> int:
    """Draw how many commands a batch has: 5 to 14."""
    return INTERVAL // 2 + stage.below(INTERVAL, "batch")


def snapshots(stage: WorldStage, fault: str = "") -> Script:
    """Thirty batches; with `fault` (isolate, crash) a victim misses each, and gets it after."""
    values = numbered()
    value = next(values)
    yield from agree(stage, value, expected=3)
    leader = yield from one_leader(stage)
    largest = 0
    for turn in range(ITERATIONS):
        third = turn % 3 == 1
        follower = beyond(stage, leader, 1)
        victim, sender = (leader, follower) if third else (follower, leader)
        expected = 3
        if fault:
            getattr(stage, fault)(victim)
            expected = 2
            yield from agree(stage, next(values), expected=2)
        for _ in range(batch_size(stage)):
            stage.propose(sender, next(values))
        value = next(values)
        yield from agree(stage, value, expected=expected)
        yield Sleep(LOOK_US)
        largest = max(largest, *map(stage.state_bytes, everybody(stage)))
        stage.check(largest < STATE_BYTES_MAX, f"{largest} bytes of Raft state in turn {turn}")
        if fault:
            stage.rejoin(victim)
            stage.restart(victim)
            value = next(values)
            yield from agree(stage, value, expected=3)
        leader = yield from one_leader(stage)
    same_everywhere(stage, value)
    stage.budget("bytes of Raft state", largest, STATE_BYTES_MAX - 1)
    if fault:
        stage.check(stage.sent("SnapshotChunk") > 0, "no snapshot was sent: nothing was tested")
