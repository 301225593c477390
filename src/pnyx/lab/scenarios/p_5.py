"""P-5: deaf peers, who can call and cannot be called, learn what was decided without them."""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.decrees import decided, deciders, decree_scenario, start, status

LATER_US: Final = 1_000_000


@decree_scenario("P-5", "TestDeaf", about="a deaf proposer learns the old value", nodes=5)
def deaf(stage: LessonStage) -> Script:
    """Peers 1 and 5 cannot be called; then each proposes."""
    start(stage, 1, 0, b"hello")
    yield from decided(stage, [0])
    stage.deafen(1, 5)
    start(stage, 2, 1, b"goodbye")
    yield from decided(stage, [1], 3)
    yield Sleep(LATER_US)
    stage.check(len(deciders(stage, 1)) == 3, f"{deciders(stage, 1)} know it, two of them deaf")
    for number, count in ((1, 4), (5, 5)):
        start(stage, number, 1, b"xxx")
        yield from decided(stage, [1], count)
        yield Sleep(LATER_US)
        stage.check(len(deciders(stage, 1)) == count, f"{deciders(stage, 1)} know it")
        stage.check(status(stage, number, 1).value == b"goodbye", "the old value was replaced")
