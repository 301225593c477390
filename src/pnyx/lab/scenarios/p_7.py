"""P-7: peers are done with instances at random while links lose messages."""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Sleep, Until
from pnyx.lab.scenarios.decrees import decided, deciders, decree_scenario, done, highest, start

COUNT: Final = 20
LOSSY_US: Final = 5_000_000
QUIET_US: Final = 2_000_000


@decree_scenario(
    "P-7",
    "TestManyForget",
    about="forgetting at random over lossy links forgets nothing that is needed",
    nodes=3,
    unreliable=True,
)
def many_forget(stage: LessonStage) -> Script:
    """Start twenty in a random order; everybody is done with what it knows now and then."""
    over_us = stage.now_us + LOSSY_US
    for number in stage.numbers:
        stage.spawn(_done_at_random(stage, number, over_us))
    order = sorted(range(COUNT), key=lambda seq: stage.world.chance.draw("order", seq))
    for seq in order:
        start(stage, 1 + stage.below(3, "who"), seq, b"x%d" % seq)
        yield Sleep(1_000 * stage.below(100, "pause"))
    yield Sleep(over_us - stage.now_us)
    stage.reliable(reliable=True)
    yield Sleep(QUIET_US)
    for seq in order:
        for number in stage.numbers:
            start(stage, number, seq, b"again")
    yield from decided(stage, order)


def _done_at_random(stage: LessonStage, number: int, over_us: int) -> Script:
    while stage.now_us < over_us:
        top = highest(stage, number)
        known = -1
        while known < top and number in deciders(stage, known + 1):
            known += 1
        if known >= 0 and stage.below(2, f"is done {number}"):
            done(stage, number, stage.below(known + 1, f"done {number}"))
        yield Sleep(1_000 * (1 + stage.below(300, f"pause of {number}")))
    yield Until(lambda: True, 1)
