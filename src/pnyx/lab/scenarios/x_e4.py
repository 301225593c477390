"""X-E4: a node loses its disk: after 30 s of silence of the old one the new one has its place.

An empty disk has forgotten its votes. So the machine is another node now, with another id, which
learns first and votes only once the old id can no more.
"""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, Until, scenario
from pnyx.lab.scenarios.agreement import beyond
from pnyx.lab.scenarios.changing import members, node_of
from pnyx.lab.scenarios.connectivity import ELECTIONS_MAX, WAIT_US
from pnyx.lab.scenarios.load import began, converge, served
from pnyx.lab.stage import WorldStage
from pnyx.lab.workload import WorkloadSettings

SPARSE: Final = WorkloadSettings(clients=2, think_us=200_000)
AWAY_US: Final = 500_000
SILENT_US: Final = 30_000_000
SLACK_US: Final = 2_000_000
"""An election if it led, a newcomer's question a second, and the change."""


@scenario(
    "X-E4",
    about="a wiped node is replaced by itself after 30 s of silence, not before, under a new id",
    source="dissertation §11.7.2; bug E9",
    nodes=3,
)
def wiped_node(stage: WorldStage) -> Script:
    """Wipe a node, wait until it is a voter again, and need its vote."""
    load, leader = yield from began(stage, SPARSE)
    victim = beyond(stage, leader, stage.below(3, "victim"))
    old = node_of(stage, victim)
    wiped_us = stage.now_us
    stage.world.wipe(victim)
    yield Sleep(AWAY_US)
    stage.restart(victim)
    new = node_of(stage, victim)
    stage.check(new != old, "a wiped node has the id that it had")
    yield Sleep(wiped_us + SILENT_US - stage.now_us)
    yield Until(lambda: new in members(stage).voters, 2 * SLACK_US)
    took_us = stage.now_us - wiped_us
    stage.budget("us until it is a voter", took_us, SILENT_US + SLACK_US, SILENT_US + 1)
    yield Until(lambda: not members(stage).outgoing, WAIT_US)
    present = members(stage)
    stage.check(old in present.retired and not present.has(old), f"{old:x} is in {present}")
    stage.crash(beyond(stage, victim, 1))
    took_us = yield from served(load, (victim,), WAIT_US)
    stage.budget("us until it serves in a pair", took_us, ELECTIONS_MAX * stage.election_us)
    stage.restart(beyond(stage, victim, 1))
    yield from converge(load)
