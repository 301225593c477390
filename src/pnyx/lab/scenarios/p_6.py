"""P-6: instances are forgotten when all peers are done with them, and not before."""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Until
from pnyx.lab.scenarios.decrees import decided, decree_scenario, done, lowest, start

WITHIN_US: Final = 12_000_000


@decree_scenario(
    "P-6", "TestForget", about="Min() is one above what every peer is done with", nodes=6
)
def forget(stage: LessonStage) -> Script:
    """Done(0) by all, Done(1) by all but the first."""
    stage.check(all(lowest(stage, n) <= 0 for n in stage.numbers), "the initial Min() is above 0")
    for number, seq in ((1, 0), (2, 1), (3, 2), (1, 6), (2, 7)):
        start(stage, number, seq, b"x%d" % seq)
    yield from decided(stage, [0])
    stage.check(all(lowest(stage, n) == 0 for n in stage.numbers), "something is forgotten")
    yield from decided(stage, [1])
    stage.check(all(lowest(stage, n) == 0 for n in stage.numbers), "something is forgotten")
    for number in stage.numbers:
        done(stage, number, 0)
    for number in stage.numbers[1:]:
        done(stage, number, 1)
    for number in stage.numbers:
        start(stage, number, 7 + number, b"xx")
    all_at_one = yield Until(
        lambda: all(lowest(stage, number) == 1 for number in stage.numbers), WITHIN_US
    )
    found = [lowest(stage, number) for number in stage.numbers]
    stage.check(all_at_one, f"Min() is {found} {WITHIN_US / 1e6:.0f} s after Done()")
