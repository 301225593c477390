"""X-T7: clocks run up to a fifth too fast or too slow, each its own way: elections stay calm."""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import everybody
from pnyx.lab.scenarios.connectivity import ELECTIONS_MAX, WAIT_US
from pnyx.lab.scenarios.load import began, converge, served, top_term
from pnyx.lab.stage import WorldStage

DRIFT_PPM: Final = 200_000
LASTS_US: Final = 1_500_000
GAP_US: Final = 100_000


@scenario(
    "X-T7",
    about="with clocks a fifth too fast and too slow nobody stands, and who fails is replaced",
    source="Raft §5.6; bug D6",
    nodes=3,
)
def drift(stage: WorldStage) -> Script:
    """Let the leader run too slow and the others too fast, then the other way round."""
    load, leader = yield from began(stage)
    term = top_term(stage)
    load.aim((leader,))
    load.pulse((leader,))
    since_us = stage.now_us
    for sign in (-1, 1):
        for node in everybody(stage):
            ppm = sign * DRIFT_PPM if node == leader else -sign * DRIFT_PPM
            stage.process(node).clock.set_drift(stage.now_us, ppm)
        yield Sleep(LASTS_US)
        stage.budget("terms while clocks drift", top_term(stage) - term, 0)
    stage.budget("us without an acknowledged write", load.longest_gap_us(since_us), GAP_US)
    stage.crash(leader)
    others = [node for node in everybody(stage) if node != leader]
    load.aim(others)
    took_us = yield from served(load, others, WAIT_US)
    stage.budget("us until the others serve", took_us, ELECTIONS_MAX * stage.election_us)
    stage.restart(leader)
    yield from converge(load)
