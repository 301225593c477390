"""X-C6: the leader is mute: it hears everybody and is heard by nobody."""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import everybody
from pnyx.lab.scenarios.connectivity import ELECTIONS_MAX, WAIT_US, mend_and_judge
from pnyx.lab.scenarios.load import began, served, top_term
from pnyx.lab.stage import WorldStage

TERMS_MAX: Final = 2
LASTS_US: Final = 2_000_000


@scenario(
    "X-C6",
    about="a leader that nobody hears is replaced, and follows the new one, which it hears",
    source="dissertation §6.2; bug C13",
    nodes=5,
)
def mute_leader(stage: WorldStage) -> Script:
    """Cut what comes from the leader."""
    load, leader = yield from began(stage)
    others = [node for node in everybody(stage) if node != leader]
    term = top_term(stage)
    for other in others:
        stage.cut(leader, other)
    took_us = yield from served(load, others, WAIT_US)
    stage.budget("us until another node serves", took_us, ELECTIONS_MAX * stage.election_us)
    led = top_term(stage)
    stage.budget("terms until then", led - term, TERMS_MAX, 1)
    yield Sleep(LASTS_US)
    stage.check(stage.leaders() == [stage.leader()], f"{stage.leaders()} believe to lead")
    stage.budget("terms after that", top_term(stage) - led, 0)
    yield from mend_and_judge(load)
