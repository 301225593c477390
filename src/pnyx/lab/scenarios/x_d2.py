"""X-D2: a follower's disk is slow, then hangs: nobody waits for it."""

from collections.abc import Generator
from statistics import mean
from typing import Any, Final

from pnyx.lab.scenario import Script, Step, scenario
from pnyx.lab.scenarios.agreement import beyond
from pnyx.lab.scenarios.load import Load, began, converge, over, top_term
from pnyx.lab.stage import WorldStage
from pnyx.replica.requests import Done

WRITES: Final = 40
SLOWNESS: Final = 200.0
"""A sync takes 100 ms."""
FACTOR_MAX: Final = 1.5
"""Without the faster of two followers it is the other one that is waited for."""


@scenario(
    "X-D2",
    about="a follower with a slow or hanging disk slows no write and begins no term",
    source="Raft §5.3: a single slow server must not impact performance; bug C12",
    nodes=3,
)
def followers_disk_slow(stage: WorldStage) -> Script:
    """Measure writes with a good disk, a slow one and a hanging one; then let it go on."""
    load, leader = yield from began(stage)
    term = top_term(stage)
    follower = beyond(stage, leader, 1 + stage.below(2, "follower"))
    load.aim((leader,))
    good_us = yield from _mean_us(load, leader)
    stage.process(follower).disk.slowness = SLOWNESS
    slow_us = yield from _mean_us(load, leader)
    stage.budget("times the mean of a write, disk slow", slow_us / good_us, FACTOR_MAX)
    stage.world.hang_disk(follower)
    hung_us = yield from _mean_us(load, leader)
    stage.budget("times the mean of a write, disk hangs", hung_us / good_us, FACTOR_MAX)
    stage.world.release_disk(follower)
    stage.budget("terms", top_term(stage) - term, 0)
    yield from converge(load)


def _mean_us(load: Load, node: int) -> Generator[Step, Any, float]:
    times: list[int] = []
    for number in range(WRITES):
        write = load.write(node, b"timed.%d" % (number % 4))
        yield over(write)
        load.stage.check(isinstance(write.answer, Done), f"a write was told {write.answer}")
        times.append((write.answered_us or 0) - write.called_us)
    return mean(times)
