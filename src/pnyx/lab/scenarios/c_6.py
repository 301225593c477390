"""C-6: only the shards of who joins or leaves change hands."""

from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.operators import (
    SHARDS,
    controller_scenario,
    count_moves,
    founded,
    settled,
)
from pnyx.lab.stage import WorldStage
from pnyx.machine.configuration import moved

MOVES_MAX = SHARDS // 3 + 1


@controller_scenario(
    "C-6",
    about="a join moves shards to the new group only, a leave those of the leaving one only",
    source="MIT 6.5840 lab 5A, TestMinimalTransfers (2024)",
)
def only_theirs(stage: WorldStage) -> Script:
    """To groups 1 and 2 comes 3, then 1 leaves."""
    operator, carrier = yield from founded(stage)
    before = yield from operator.join(1, 2)
    after = yield from operator.join(3)
    count_moves(stage, before, after, allowed=MOVES_MAX)
    targets = {after.targets[shard] for shard in moved(before.targets, after.targets)}
    stage.check(targets == {3}, f"3 joined, and shards went to {targets}")
    yield from settled(operator)
    last = yield from operator.leave(1)
    count_moves(stage, after, last, allowed=MOVES_MAX)
    sources = {after.targets[shard] for shard in moved(after.targets, last.targets)}
    stage.check(sources == {1}, f"1 left, and shards of {sources} moved")
    yield from settled(operator)
    carrier.stopped = True
