"""P-19: up to three random sides, changing all the time, over lossy links."""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Sleep, Until
from pnyx.lab.scenarios.decrees import decided, deciders, decree_scenario, start

LASTS_US: Final = 20_000_000
OPEN_MAX: Final = 10
SETTLE_US: Final = 5_000_000


@decree_scenario(
    "P-19",
    "TestLots",
    about="whatever the sides are, at most one value an instance, and all of them in the end",
    nodes=5,
    unreliable=True,
)
def lots(stage: LessonStage) -> Script:
    """Twenty seconds of random sides; then the links are mended."""
    over_us = stage.now_us + LASTS_US
    stage.spawn(_partitioner(stage, over_us))
    seqs: list[int] = []
    while stage.now_us < over_us:
        is_open = [seq for seq in seqs[-2 * OPEN_MAX :] if 2 * len(deciders(stage, seq)) <= 5]
        if len(is_open) < OPEN_MAX:
            seqs.append(len(seqs))
            for number in stage.numbers:
                start(stage, number, seqs[-1], b"%d" % (10 * seqs[-1] + number))
        yield Sleep(1_000 * stage.below(300, "pause"))
    yield Sleep(300_000)
    stage.heal()
    stage.reliable(reliable=True)
    began_us = stage.now_us
    yield from decided(stage, seqs, 3)
    stage.budget("us until all are decided", stage.now_us - began_us, SETTLE_US)
    stage.budget("instances fewer than ten", 10 - min(len(seqs), 10), 0)


def _partitioner(stage: LessonStage, over_us: int) -> Script:
    while stage.now_us < over_us:
        sides: tuple[list[int], ...] = ([], [], [])
        for number in stage.numbers:
            sides[stage.below(3, "side")].append(number)
        stage.partition(*(tuple(side) for side in sides if side))
        yield Sleep(1_000 * stage.below(200, "partition time"))
    yield Until(lambda: True, 1)
