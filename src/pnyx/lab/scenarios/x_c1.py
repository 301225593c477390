"""X-C1: the leader loses its quorum, but the one node that has one still hears it.

Five nodes; all links but those of a follower, the hub, are cut. The leader's heartbeats still
reach the hub, which alone could be elected. A leader that counts who answers it steps down; then
the hub stands. Without that count the hub would stay loyal for ever.
"""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import beyond, everybody
from pnyx.lab.scenarios.connectivity import ELECTIONS_MAX, WAIT_US, keep_only, mend_and_judge
from pnyx.lab.scenarios.load import began, served, top_term
from pnyx.lab.stage import WorldStage

TERMS_MAX: Final = 2
LASTS_US: Final = 2_000_000


@scenario(
    "X-C1",
    about="a leader without a quorum makes way for the hub that still hears it",
    source="OmniPaxos, EuroSys 2023, §2.2: quorum loss; bug C13",
    nodes=5,
)
def quorum_loss(stage: WorldStage) -> Script:
    """Leave only the links of one follower; it leads soon, and stays."""
    load, leader = yield from began(stage)
    hub = beyond(stage, leader, 1 + stage.below(4, "hub"))
    term = top_term(stage)
    keep_only(stage, [(hub, node) for node in everybody(stage) if node != hub])
    took_us = yield from served(load, (hub,), WAIT_US)
    stage.budget("us until the hub serves", took_us, ELECTIONS_MAX * stage.election_us)
    led = top_term(stage)
    stage.budget("terms until then", led - term, TERMS_MAX, 1)
    yield Sleep(LASTS_US)
    stage.check(stage.leader() == hub, f"n{stage.leader()} leads, and not the hub n{hub}")
    stage.budget("terms after that", top_term(stage) - led, 0)
    yield from mend_and_judge(load)
