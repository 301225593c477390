"""X-T4: everybody stands still, a machine with all its virtual machines say, and goes on."""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import everybody
from pnyx.lab.scenarios.connectivity import ELECTIONS_MAX, WAIT_US
from pnyx.lab.scenarios.load import began, converge, over, served, top_term
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import Get
from pnyx.replica.requests import Done

ROUNDS: Final = 3
KEY: Final = b"all"
APART_US: Final = 1_000
PAUSE_US: Final = 2_000_000
TERMS_MAX: Final = 2
"""A round."""


@scenario(
    "X-T4",
    about="when all stood still and go on in any order, they serve soon and nothing old is read",
    source="dissertation §6.4; bugs D5, D6",
    nodes=3,
)
def all_paused(stage: WorldStage) -> Script:
    """Read, pause all one by one, resume all one by one."""
    load, leader = yield from began(stage)
    for _ in range(ROUNDS):
        term = top_term(stage)
        yield over(load.write(leader, KEY))
        reads = [load.ask(node, Get(KEY)) for node in everybody(stage)]
        for node in everybody(stage):
            yield Sleep(stage.below(APART_US, "pause"))
            stage.pause(node)
        yield Sleep(PAUSE_US)
        for node in sorted(everybody(stage), key=lambda _: stage.below(100, "order")):
            stage.resume(node)
            yield Sleep(stage.below(stage.election_us // 2, "resume"))
        took_us = yield from served(load, everybody(stage), WAIT_US, each=True)
        allowed_us = ELECTIONS_MAX * stage.election_us
        stage.budget("us until every node serves", took_us, allowed_us)
        yield over(*reads)
        told = sum(isinstance(read.answer, Done) for read in reads)
        stage.budget("reads answered with a value", told, len(reads))
        stage.budget("terms in a round", top_term(stage) - term, TERMS_MAX)
        leader = stage.leader() or 1
    yield from converge(load)
