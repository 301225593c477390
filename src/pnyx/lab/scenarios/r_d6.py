"""R-D6: all lose their power together, five times, and go on behind what was agreed."""

from typing import Final

from pnyx.lab.network import MIT_UNRELIABLE
from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import agree, everybody, numbered, same_everywhere
from pnyx.lab.scenarios.snapshots import (
    COMPACT_BYTES,
    LOOK_US,
    STATE_BYTES_MAX,
    batch_size,
)
from pnyx.lab.stage import WorldStage

ROUNDS: Final = 5


@scenario(
    "R-D6",
    about="nothing that was agreed is lost when all lose their power with snapshots on disk",
    source="MIT 6.5840 lab 3D, TestSnapshotAllCrash",
    nodes=3,
    profile=MIT_UNRELIABLE,
    unreliable=True,
    compact_bytes=COMPACT_BYTES,
)
def snapshot_all_crash(stage: WorldStage) -> Script:
    """Agree on a batch, crash all, restart all, agree again."""
    values = numbered()
    value = next(values)
    yield from agree(stage, value, expected=3)
    largest = 0
    for _ in range(ROUNDS):
        for _ in range(batch_size(stage)):
            yield from agree(stage, next(values), expected=3)
        before = yield from agree(stage, next(values), expected=3)
        yield Sleep(LOOK_US)
        largest = max(largest, *map(stage.state_bytes, everybody(stage)))
        for node in everybody(stage):
            stage.crash(node)
        for node in everybody(stage):
            stage.restart(node)
        value = next(values)
        after = yield from agree(stage, value, expected=3)
        stage.check(after >= before + 1, f"number {before} before the crash, {after} after it")
    same_everywhere(stage, value)
    stage.budget("bytes of Raft state", largest, STATE_BYTES_MAX - 1)
