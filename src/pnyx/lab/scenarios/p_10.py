"""P-10: what an agreement costs: at most nine messages for three peers, unless several compete."""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.decrees import decided, decree_scenario, start

INSTANCES: Final = 5
SERIAL: Final = 9
"""Messages, answers included; the original allows as many calls."""
COMPETING: Final = 15
"""Calls for each peer; the original's number."""
REQUESTS: Final = ("Prepare", "Accept", "Decided")
QUIET_US: Final = 2_000_000


@decree_scenario("P-10", "TestRPCCount", about="an agreement of three takes nine messages", nodes=3)
def message_count(stage: LessonStage) -> Script:
    """Five instances by one proposer, then five by three."""
    for seq in range(INSTANCES):
        start(stage, 1, seq, b"x")
        yield from decided(stage, [seq])
    yield Sleep(QUIET_US)
    stage.budget("messages, serial", stage.messages(), INSTANCES * SERIAL)
    stage.budget("calls, serial", stage.sent(*REQUESTS), INSTANCES * SERIAL)
    before = stage.sent(*REQUESTS)
    for seq in range(INSTANCES, 2 * INSTANCES):
        for number in stage.numbers:
            start(stage, number, seq, b"x%d" % number)
        yield from decided(stage, [seq])
    yield Sleep(QUIET_US)
    allowed = INSTANCES * COMPETING * stage.nodes
    stage.budget("calls, competing", stage.sent(*REQUESTS) - before, allowed)
