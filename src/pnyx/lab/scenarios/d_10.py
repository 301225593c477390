"""D-10: each replica in turn loses its disk and is refilled by the others."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.eachinturn import each_in_turn
from pnyx.lab.scenarios.servants import service_scenario


@service_scenario("D-10", "Test5OneLostDisk", about="a lost disk is refilled by peers", nodes=3)
def one_lost_disk(stage: LessonStage) -> Script:
    """All files are gone."""
    yield from each_in_turn(stage, stage.numbers, loses_disk=True)
