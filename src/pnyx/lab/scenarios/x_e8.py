"""X-E8: leadership moves on purpose, to the best follower or to a named one, hardly noticed."""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, Until, scenario
from pnyx.lab.scenarios.agreement import beyond, everybody, one_leader
from pnyx.lab.scenarios.changing import node_of, state_of
from pnyx.lab.scenarios.load import began, converge, top_term
from pnyx.lab.stage import WorldStage

TRANSFERS: Final = 6
MOVED_US: Final = 100_000
"""No election timeout passes."""
GAP_US: Final = 150_000
CALM_US: Final = 300_000


@scenario(
    "X-E8",
    about="a transfer takes one term, no election timeout, and goes to whom it was asked for",
    source="dissertation §3.10; bug G7",
    nodes=5,
)
def transfers(stage: WorldStage) -> Script:
    """Hand over to the best, then to a named one, in turn, under load."""
    load, _ = yield from began(stage)
    load.pulse(everybody(stage))
    for number in range(TRANSFERS):
        leader = yield from one_leader(stage)
        target = beyond(stage, leader, 1 + stage.below(4, "target")) if number % 2 else 0
        term, since_us = top_term(stage), stage.now_us
        stage.process(leader).transfer(node_of(stage, target) if target else None)
        yield Until(lambda: stage.leader() not in {None, leader}, stage.election_us)  # noqa: B023
        stage.budget("us until another leads", stage.now_us - since_us, MOVED_US)
        led = stage.leader()
        stage.check(led == target if target else led != leader, f"n{led} leads, not n{target}")
        yield Sleep(CALM_US)
        stage.budget("terms for one transfer", top_term(stage) - term, 1, 1)
        stage.budget("us without an acknowledged write", load.longest_gap_us(since_us), GAP_US)
        stuck = [node for node in everybody(stage) if state_of(stage, node).transfer is not None]
        stage.check(not stuck, f"{stuck} still hand over")
    yield from converge(load)
