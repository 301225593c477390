"""C-X2: nodes lose their power and are cut off while ten operators change configurations."""

from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.crowds import crowd
from pnyx.lab.scenarios.operators import Carrier, controller_scenario, founded
from pnyx.lab.stage import WorldStage

LOG_BYTES = 1_000


@controller_scenario(
    "C-X2",
    about="power cuts and partitions under ten operators leave the right groups",
    source="the defects of the classroom's tests: its controllers were never hurt",
    compact_bytes=LOG_BYTES,
    limit_us=300_000_000,
)
def hurt(stage: WorldStage) -> Script:
    """Hurt one node after the other until all operators have ended."""
    operator, carrier = yield from founded(stage)
    stage.spawn(_trouble(stage, carrier))
    yield from crowd(stage, operator, 10)
    carrier.stopped = True


def _trouble(stage: WorldStage, carrier: Carrier) -> Script:
    while not carrier.stopped:
        node = 1 + stage.below(stage.nodes, "who is hurt")
        if stage.below(2, "how"):
            stage.crash(node)
            yield Sleep(50_000 + stage.below(600_000, "time down"))
            stage.restart(node)
        else:
            stage.isolate(node)
            yield Sleep(50_000 + stage.below(900_000, "time away"))
            stage.rejoin(node)
        yield Sleep(stage.below(400_000, "calm"))
