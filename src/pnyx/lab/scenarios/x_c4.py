"""X-C4: five nodes in a chain: whoever hears both its neighbours may lead, and one of them does."""

from itertools import pairwise
from typing import Final

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import beyond
from pnyx.lab.scenarios.connectivity import ELECTIONS_MAX, WAIT_US, keep_only, mend_and_judge
from pnyx.lab.scenarios.load import began, served, top_term
from pnyx.lab.stage import WorldStage

TERMS_MAX: Final = 3
LASTS_US: Final = 3_000_000


@scenario(
    "X-C4",
    about="in a chain of five an inner node leads soon, and then no term is begun",
    source="OmniPaxos, EuroSys 2023, §2.2: chained, with more nodes; bug C13",
    nodes=5,
)
def long_chain(stage: WorldStage) -> Script:
    """Put the leader at the end of the chain, where it hears one other."""
    load, leader = yield from began(stage)
    chain = [beyond(stage, leader, steps) for steps in range(5)]
    term = top_term(stage)
    keep_only(stage, pairwise(chain))
    took_us = yield from served(load, chain[1:4], WAIT_US)
    stage.budget("us until an inner node serves", took_us, ELECTIONS_MAX * stage.election_us)
    stage.check(stage.leader() in chain[1:4], f"n{stage.leader()} leads from an end")
    led = top_term(stage)
    stage.budget("terms until then", led - term, TERMS_MAX, 1)
    yield Sleep(LASTS_US)
    stage.budget("terms after that", top_term(stage) - led, 0)
    yield from mend_and_judge(load)
