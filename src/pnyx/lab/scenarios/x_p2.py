"""X-P2: groups of both engines on the same nodes hand shards to each other, and lose their power.

The engine is a choice of each group, and kept with it: two logs of two engines share a disk, and
whoever starts again must find in each what that engine wrote there.
"""

from dataclasses import replace
from typing import Final

from pnyx.consensus.engines import ENGINES, EngineName
from pnyx.lab.layout import together
from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.appending import Crowd
from pnyx.lab.scenarios.fleet import Fleet, fleet_scenario, manned
from pnyx.lab.stage import WorldStage

ENGINE_OF: Final = {100: EngineName.RAFT, 101: EngineName.MULTIPAXOS}
TURNS: Final = 2
PAUSE_US: Final = 500_000
THINK_US: Final = 50_000
LEAST: Final = 100


@fleet_scenario(
    "X-P2",
    about="two groups of two engines share nodes, shards and power failures, and lose no append",
    source="a choice of engine for each group",
    layout=replace(together(tuple(ENGINE_OF), shards=4), engines=ENGINE_OF),
    compact_bytes=1_000,
)
def two_engines(stage: WorldStage) -> Script:
    """Each group in turn has all shards, and in between all nodes lose their power."""
    fleet = yield from manned(stage)
    yield from fleet.joined(*ENGINE_OF)
    crowd = Crowd(fleet, THINK_US)
    yield from crowd.begin()
    for _ in range(TURNS):
        for group in ENGINE_OF:
            yield from fleet.left(group)
            yield Sleep(stage.below(PAUSE_US, "pause"))
            fleet.shut(group)
            fleet.start(group)
            yield Sleep(stage.below(PAUSE_US, "pause"))
            yield from fleet.joined(group)
            _check_engines(fleet)
    yield from crowd.end(LEAST)


def _check_engines(fleet: Fleet) -> None:
    for group, engine in ENGINE_OF.items():
        for node, consensus in fleet.engines(group).items():
            fleet.stage.check(
                type(consensus) is ENGINES[engine],
                f"n{node} runs {type(consensus).__name__} for group {group}, founded on {engine}",
            )
