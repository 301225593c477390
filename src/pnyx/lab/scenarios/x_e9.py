"""X-E9: leadership shall move to who cannot take it: given up in time, and the leader leads on.

The target is cut off and lags, or is told to stand and dies on it. Meanwhile nothing is appended;
a flag that stayed would stop all writes for ever.
"""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, Until, scenario
from pnyx.lab.scenarios.agreement import beyond, everybody
from pnyx.lab.scenarios.changing import node_of, state_of
from pnyx.lab.scenarios.connectivity import HEALED_MAX, WAIT_US
from pnyx.lab.scenarios.load import began, converge, served, top_term
from pnyx.lab.stage import WorldStage

HEARTBEAT_US: Final = 50_000
SLACK_US: Final = 150_000
CALM_US: Final = 300_000


@scenario(
    "X-E9",
    about="a transfer to a follower that lags or dies ends within one election timeout",
    source="dissertation §3.10; bug G7",
    nodes=5,
)
def vain_transfer(stage: WorldStage) -> Script:
    """Hand over to a follower that is cut off, and to one that dies as it is told."""
    load, leader = yield from began(stage)
    target = beyond(stage, leader, 1 + stage.below(4, "target"))
    rest = [node for node in everybody(stage) if node != target]
    load.pulse(rest)
    load.aim(rest)
    term = top_term(stage)
    for dies in (False, True):
        if dies:
            yield Until(lambda: stage.log_end(target) == stage.log_end(leader), WAIT_US)
            stage.process(leader).transfer(node_of(stage, target))
            stage.crash(target)
        else:
            stage.isolate(target)
            yield Sleep(CALM_US)
            stage.process(leader).transfer(node_of(stage, target))
        since_us = stage.now_us
        is_moving = state_of(stage, leader).transfer is not None
        stage.check(is_moving, f"n{leader} does not hand over: nothing is tested")
        yield Until(lambda: state_of(stage, leader).transfer is None, WAIT_US)
        took_us = stage.now_us - since_us
        allowed_us = stage.election_us + HEARTBEAT_US
        stage.budget("us until it is given up", took_us, allowed_us + HEARTBEAT_US)
        yield Sleep(CALM_US)
        stage.check(stage.leaders() == [leader], f"{stage.leaders()} lead, not n{leader}")
        gap_us = load.longest_gap_us(since_us)
        stage.budget("us without an acknowledged write", gap_us, allowed_us + SLACK_US)
        stage.heal()
        stage.restart(target)
        took_us = yield from served(load, (target,), WAIT_US)
        stage.budget("us until the target serves", took_us, HEALED_MAX * stage.election_us)
    stage.budget("terms", top_term(stage) - term, 0)
    yield from converge(load)
