"""S-X3: a copy goes on at another replica of the source, which is behind the one before."""

from typing import Final

from pnyx.ids import GroupId
from pnyx.lab.layout import together
from pnyx.lab.scenario import Script, Sleep, Until
from pnyx.lab.scenarios.counting import Counting
from pnyx.lab.scenarios.fleet import fleet_scenario, manned
from pnyx.lab.scenarios.tripwire import Step, Tripwire
from pnyx.lab.stage import WorldStage
from pnyx.replica.limits import MigrationLimits

SOURCE: Final = 100
DESTINATION: Final = 101
SHARDS: Final = 4
STILL: Final = 100
LIMITS: Final = MigrationLimits(
    chunk_bytes=5_000, chunks_a_look=1, rate_bytes_s=20_000, freeze_bytes=4_000
)
"""Changes are done as they come, and the copy is not over before it goes on elsewhere."""
CALM_US: Final = 5_000_000
BEHIND_US: Final = 400_000
"""So long nothing of the source's log gets to the follower before it is asked."""
ASKED_US: Final = 700_000
"""And so long after that."""


@fleet_scenario(
    "S-X3",
    about="a copy that goes on at a replica which is behind brings no older row back",
    source="sharding: the crash matrix of a move",
    layout=together((SOURCE, DESTINATION), shards=SHARDS),
    compact_bytes=4_000,
    migration=LIMITS,
)
def behind(stage: WorldStage) -> Script:
    """The destination's leader hands over to a node whose replica of the source lags."""
    fleet = yield from manned(stage)
    yield from fleet.joined(SOURCE, DESTINATION)
    home = {group: fleet.nodes(group)[0] for group in (SOURCE, DESTINATION)}
    (third,) = {*fleet.nodes(SOURCE)} - {*home.values()}
    at_home = yield Until(
        lambda: all(fleet.leader(group) == node for group, node in home.items()), CALM_US
    )
    stage.check(at_home, "leaders did not go home")
    directory = yield from fleet.operator.directory()
    shard = next(at for at, each in enumerate(directory.shards) if each.group == SOURCE)
    counting = Counting(fleet, shard, still=STILL)
    yield from counting.begin()
    wire = Tripwire(
        SOURCE, DESTINATION, shard, Step.COPYING, lambda: stage.cut(home[SOURCE], third)
    )
    stage.world.watches.add(wire)
    yield from fleet.operator.move(shard, DESTINATION)
    yield Until(lambda: wire.reached, CALM_US)
    stage.check(wire.reached, "the move never copied anything")
    stage.spawn(counting.rewrite(b"moved " * 10))
    yield Sleep(BEHIND_US)
    successor = stage.process(third)
    stage.process(home[DESTINATION]).transfer(successor.node, GroupId(DESTINATION))
    yield Sleep(ASKED_US)
    stage.mend(home[SOURCE], third)
    yield from counting.end()
    yield from fleet.settled()
    yield from counting.check()
