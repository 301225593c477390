"""Groups that join and leave, each step with the fewest moves (C-5, C-9, C-X1)."""

from collections.abc import Sequence

from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.operators import Carrier, Operator, check, count_moves, settled
from pnyx.lab.stage import WorldStage


def grow_and_shrink(
    stage: WorldStage,
    operator: Operator,
    carrier: Carrier,
    first: Sequence[int],
    steps: Sequence[Sequence[int]],
) -> Script:
    """Let the groups of each step join, then leave in the same order; count what moved."""
    before = yield from operator.join(*first)
    there = list(first)
    for joins in (True, False):
        for groups in steps:
            yield from settled(operator)
            change = operator.join if joins else operator.leave
            after = yield from change(*groups)
            there = [*there, *groups] if joins else [each for each in there if each not in groups]
            check(stage, after, there)
            count_moves(stage, before, after)
            before = after
    yield from settled(operator)
    carrier.stopped = True
