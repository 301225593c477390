"""P-17: one peer moves from one side to the other, twenty times."""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.decrees import decided, deciders, decree_scenario, start

TIMES: Final = 20


@decree_scenario(
    "P-17", "TestPartition", about="a peer that moves carries decisions along", nodes=5
)
def one_switches(stage: LessonStage) -> Script:
    """Both sides propose; then the third peer is on the other side."""
    for seq in range(TIMES):
        stage.partition((1, 2, 3), (4, 5))
        start(stage, 1, seq, b"%d" % (seq * 10))
        start(stage, 4, seq, b"%d" % (seq * 10 + 1))
        yield from decided(stage, [seq], 3)
        stage.check(len(deciders(stage, seq)) <= 3, f"{deciders(stage, seq)} know the decision")
        stage.partition((1, 2), (3, 4, 5))
        yield from decided(stage, [seq])
