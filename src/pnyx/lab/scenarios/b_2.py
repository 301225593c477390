"""B-2: clients and servers keep the view: the view service is asked little."""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.lessons.views import PING_MS
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.understudies import Client, backup_scenario, settled

PUTS: Final = 100
EXTRA: Final = 20


@backup_scenario("B-2", "TestBasicFail", about="who knows the view does not ask for it")
def view_load(stage: LessonStage) -> Script:
    """A hundred puts."""
    yield from settled(stage)
    client = Client(stage)
    before, began_us = stage.host(1).received, stage.now_us
    for number in range(PUTS):
        yield from client.ask("put", b"k%d" % (number % 10), b"%d" % number)
    ticks = (stage.now_us - began_us) / (1_000 * PING_MS)
    stage.budget("requests to the view service", stage.host(1).received - before, 2 * ticks + EXTRA)
