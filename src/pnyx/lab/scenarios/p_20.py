"""P-20: how long an agreement takes, in syncs and ways."""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.decrees import decided, decree_scenario, start

COUNT: Final = 20
EACH_US: Final = 8_000
"""Four syncs of half a millisecond, four ways of 150 us, two polls of the script; doubled."""


@decree_scenario(
    "P-20",
    "TestSpeed (switched off there)",
    about="twenty agreements, one after the other",
    nodes=3,
)
def speed(stage: LessonStage) -> Script:
    """One proposer."""
    began_us = stage.now_us
    for seq in range(COUNT):
        start(stage, 1, seq, b"x")
        yield from decided(stage, [seq])
    stage.budget("us for twenty agreements", stage.now_us - began_us, COUNT * EACH_US)
