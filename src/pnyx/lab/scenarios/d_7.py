"""D-7: each replica in turn is killed and starts again."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.eachinturn import each_in_turn
from pnyx.lab.scenarios.servants import service_scenario


@service_scenario("D-7", "Test5OneRestart", about="who was down comes back up to date", nodes=3)
def one_restart(stage: LessonStage) -> Script:
    """Its disk is kept."""
    yield from each_in_turn(stage, stage.numbers, loses_disk=False)
