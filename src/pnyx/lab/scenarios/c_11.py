"""C-11: twenty operators over bad links, while one node hears nothing."""

from pnyx.lab.network import MIT_UNRELIABLE
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.crowds import crowd
from pnyx.lab.scenarios.operators import Operator, controller_scenario, founded
from pnyx.lab.stage import WorldStage

DEAF = 1
OTHERS = (2, 3)


@controller_scenario(
    "C-11",
    about="twenty operators over lossy links, past a deaf node, end with the right groups",
    source="MIT 6.824 lab 4A, TestUnreliable (2012 to 2015)",
    profile=MIT_UNRELIABLE,
    limit_us=300_000_000,
)
def deaf_node(stage: WorldStage) -> Script:
    """Nothing reaches node 1 any more; the others are asked."""
    operator, carrier = yield from founded(stage)
    for other in OTHERS:
        stage.cut(other, DEAF)
    stage.reliable(reliable=False)
    yield from crowd(stage, operator, 20, lossy=True, among=OTHERS)
    stage.reliable(reliable=True)
    for other in OTHERS:
        stage.mend(other, DEAF)
    newest = yield from operator.query()
    at_deaf = Operator(stage, "at the deaf node", among=(DEAF,))
    told = yield from at_deaf.query()
    stage.check(told == newest, f"node {DEAF} says {told}, the newest is {newest}")
    carrier.stopped = True
