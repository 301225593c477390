"""X-C5: the leader is deaf: it is heard by everybody and hears nobody.

Its heartbeats keep everybody loyal, so nobody would ever stand: it has to notice itself that no
answer comes.
"""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import everybody
from pnyx.lab.scenarios.connectivity import ELECTIONS_MAX, WAIT_US, mend_and_judge
from pnyx.lab.scenarios.load import began, served, top_term
from pnyx.lab.stage import WorldStage

TERMS_MAX: Final = 2
LASTS_US: Final = 2_000_000


@scenario(
    "X-C5",
    about="a leader that hears nobody steps down, and asking for votes it disturbs nobody",
    source="dissertation §6.2; Cloudflare 2020; bug C13",
    nodes=5,
)
def deaf_leader(stage: WorldStage) -> Script:
    """Cut what leads to the leader."""
    load, leader = yield from began(stage)
    others = [node for node in everybody(stage) if node != leader]
    term = top_term(stage)
    for other in others:
        stage.cut(other, leader)
    took_us = yield from served(load, others, WAIT_US)
    stage.budget("us until another node serves", took_us, ELECTIONS_MAX * stage.election_us)
    led = top_term(stage)
    stage.budget("terms until then", led - term, TERMS_MAX, 1)
    yield Sleep(LASTS_US)
    stage.check(leader not in stage.leaders(), f"n{leader} believes to lead and hears nobody")
    stage.budget("terms after that", top_term(stage) - led, 0)
    yield from mend_and_judge(load)
