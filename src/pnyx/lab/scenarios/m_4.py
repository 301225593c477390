"""M-4: a leader without a quorum does nothing, and lets go of whoever waits there."""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, Until, scenario
from pnyx.lab.scenarios.agreement import everybody, one_leader
from pnyx.lab.scenarios.counter import (
    Tally,
    add,
    one_inc,
    replicas_show,
    returned,
    sum_after,
    surely_undone,
)
from pnyx.lab.stage import WorldStage

COUNT: Final = 100
SECOND_US: Final = 1_000_000


@scenario(
    "M-4",
    about="who waits at a leader that lost its quorum is told soon after the links are back",
    source="MIT 6.5840 lab 4A, TestLeaderPartition4A",
    nodes=3,
)
def leader_partition(stage: WorldStage) -> Script:
    """Cut off the leader with 100 decrements, add one at the majority, heal."""
    tally = Tally()
    yield from one_inc(stage, tally)
    yield from replicas_show(stage, tally)
    leader = yield from one_leader(stage)
    others = tuple(node for node in everybody(stage) if node != leader)
    stage.partition((leader,), others)
    calls = [add(stage, leader, -1) for _ in range(COUNT)]
    yield Sleep(10_000)
    # Only then: the others would pass it on to the leader that they cannot reach.
    yield Until(lambda: stage.leader() != leader, 5_000_000)
    yield from one_inc(stage, tally, others)
    yield Sleep(SECOND_US)
    done = [sum_after(call) for call in calls if sum_after(call) is not None]
    stage.check(not done, f"a leader without a quorum did {len(done)} of {COUNT} decrements")

    stage.heal()
    healed_us = stage.now_us
    over = yield Until(returned(*calls), SECOND_US)
    waiting = sum(not call.over for call in calls)
    stage.check(over, f"{waiting} of {COUNT} decrements are still open a second after the heal")
    stage.budget("us until the last waiter was told", stage.now_us - healed_us, SECOND_US)
    done = [sum_after(call) for call in calls if sum_after(call) is not None]
    unknown = sum(sum_after(call) is None and not surely_undone(call) for call in calls)
    tally.most -= len(done)
    tally.least -= len(done) + unknown
    yield from replicas_show(stage, tally)
