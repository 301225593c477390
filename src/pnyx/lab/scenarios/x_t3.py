"""X-T3: the leader stands still for longer than its clients wait.

Requests pile up where nobody looks; their clients have gone when they are taken in. Such a write
may take effect or not, but only after what was acknowledged meanwhile, and a read is for nobody.
"""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import everybody
from pnyx.lab.scenarios.connectivity import ELECTIONS_MAX, WAIT_US
from pnyx.lab.scenarios.load import began, converge, served, top_term
from pnyx.lab.stage import WorldStage
from pnyx.lab.workload import PATIENCE_US
from pnyx.machine.commands import Get

PILED: Final = 10
KEY: Final = b"piled"
LONGER_US: Final = 1_000_000
GIVEN_UP_MIN: Final = 1


@scenario(
    "X-T3",
    about="a leader paused for longer than its clients wait harms nobody when it goes on",
    source="dissertation §6.2; bugs D5, D6, G8",
    nodes=3,
)
def long_pause(stage: WorldStage) -> Script:
    """Pause the leader for longer than the clients' patience, with requests before it."""
    load, leader = yield from began(stage)
    others = [node for node in everybody(stage) if node != leader]
    stage.pause(leader)
    piled = [load.write(leader, KEY) for _ in range(PILED)]
    piled += [load.ask(leader, Get(KEY)) for _ in range(PILED)]
    took_us = yield from served(load, others, WAIT_US)
    stage.budget("us until another node serves", took_us, ELECTIONS_MAX * stage.election_us)
    term = top_term(stage)
    yield Sleep(PATIENCE_US + LONGER_US)
    gone = sum(ticket.given_up_us is not None for ticket in load.tickets)
    stage.check(gone >= GIVEN_UP_MIN, "no client gave up: nothing is tested")
    stage.resume(leader)
    took_us = yield from served(load, everybody(stage), WAIT_US, each=True)
    stage.budget("us until every node serves again", took_us, stage.election_us)
    stage.budget("terms begun by its return", top_term(stage) - term, 0)
    yield from converge(load)
    still = [each for each in piled if each.is_open]
    stage.check(not still, f"{len(still)} of the piled requests were never answered")
