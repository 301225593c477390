"""D-11: one replica is down, and each of the others in turn loses its disk."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.eachinturn import each_in_turn
from pnyx.lab.scenarios.servants import Clerk, equal_in_the_end, service_scenario


@service_scenario(
    "D-11",
    "Test5OneLostOneDown",
    about="with one of five down, a lost disk is refilled by three",
    nodes=5,
)
def one_lost_one_down(stage: LessonStage) -> Script:
    """The first is down all the time, and comes back in the end."""
    yield from Clerk(stage).put(b"before", b"x")
    stage.crash(1)
    yield from each_in_turn(stage, stage.numbers[1:], loses_disk=True)
    stage.restart(1)
    yield from Clerk(stage, (1,)).get(b"before")
    yield from equal_in_the_end(stage)
