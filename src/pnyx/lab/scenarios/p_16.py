"""P-16: who was away proposes something else and learns what was decided."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.decrees import decided, decree_scenario, start, status


@decree_scenario("P-16", "TestPartition", about="after a heal all decide the old value", nodes=5)
def heal(stage: LessonStage) -> Script:
    """Two were away."""
    stage.partition((1,), (2, 3, 4), (5,))
    start(stage, 2, 1, b"111")
    yield from decided(stage, [1], 3)
    start(stage, 1, 1, b"1000")
    start(stage, 5, 1, b"1001")
    stage.heal()
    yield from decided(stage, [1])
    found = {status(stage, number, 1).value for number in stage.numbers}
    stage.check(found == {b"111"}, f"peers decided {found}")
