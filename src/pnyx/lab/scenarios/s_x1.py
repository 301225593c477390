"""S-X1: a shard moves back and forth between two groups that lose power, under counting clients."""

from typing import Final

from pnyx.lab.layout import apart
from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.counting import Counting
from pnyx.lab.scenarios.fleet import Fleet, fleet_scenario, manned
from pnyx.lab.stage import WorldStage
from pnyx.replica.limits import MigrationLimits

GROUPS: Final = (100, 101)
SHARDS: Final = 4
MOVES: Final = 6
VALUES: Final = 20
CLERKS: Final = 3
REST_US: Final = 1_000_000


@fleet_scenario(
    "S-X1",
    about="increments of session clients count once while their shard moves and nodes lose power",
    source="the crash matrix of a move",
    layout=apart(GROUPS, shards=SHARDS),
    compact_bytes=4_000,
    migration=MigrationLimits(chunk_bytes=1_500, freeze_bytes=2_000),
)
def back_and_forth(stage: WorldStage) -> Script:
    """Move the shard six times; cut nodes' power all along; read what clients were told."""
    fleet = yield from manned(stage)
    yield from fleet.joined(*GROUPS)
    directory = yield from fleet.operator.directory()
    shard = next(at for at, each in enumerate(directory.shards) if each.group == GROUPS[0])
    counting = Counting(fleet, shard, CLERKS, VALUES)
    yield from counting.begin()
    for group in GROUPS:
        stage.spawn(_trouble(fleet, group, counting))
    for turn in range(MOVES):
        yield from fleet.operator.move(shard, GROUPS[1 - turn % 2])
        yield from fleet.settled()
        yield Sleep(stage.below(REST_US, "rest"))
    yield from counting.end()
    yield from counting.check()


def _trouble(fleet: Fleet, group: int, counting: Counting) -> Script:
    stage, nodes = fleet.stage, fleet.nodes(group)
    while not counting.over:
        yield Sleep(100_000 + stage.below(700_000, f"calm of {group}"))
        leader = fleet.leader(group)
        drawn = nodes[stage.below(len(nodes), f"who of {group}")]
        node = leader if leader is not None and stage.below(2, f"leader of {group}") else drawn
        stage.crash(node)
        yield Sleep(100_000 + stage.below(700_000, f"down of {group}"))
        stage.restart(node)
