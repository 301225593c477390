"""S-X7: shards come to a group whose clocks are a day behind, and keep the time that they had.

A group's time is what its own nodes' clocks say, so groups differ. What expires with a shard goes
by the shard's time: at its new group it has what was left to it, not a day more.
"""

from typing import Final

from pnyx.lab.layout import apart
from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.clerks import Clerk
from pnyx.lab.scenarios.fleet import fleet_scenario, keys_by_shard, manned
from pnyx.lab.scenarios.grouptime import HOUR_MS, LOOK_US
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import Expiry

SOURCE: Final = 100
DESTINATION: Final = 101
SHARDS: Final = 4
DAY_US: Final = 24 * 3_600 * 1_000_000
SHORT_MS: Final = 5_000
GONE_US: Final = 12_000_000
"""Behind the moves: time goes on at half its speed where clocks are behind it."""


@fleet_scenario(
    "S-X7",
    about="what expires with a shard goes by the shard's time, where clocks are a day behind, too",
    source="sharding: a shard's clock; bug S13",
    layout=apart((SOURCE, DESTINATION), shards=SHARDS),
)
def slower_clock(stage: WorldStage) -> Script:
    """All shards go there; keys of five seconds go, those of an hour have no more than that."""
    fleet = yield from manned(stage)
    for node in fleet.nodes(DESTINATION):
        stage.process(node).clock.jump(-DAY_US)
    yield from fleet.joined(SOURCE)
    client, keys = Clerk(fleet, "client"), keys_by_shard(2 * SHARDS, SHARDS)
    short, long = keys[:SHARDS], keys[SHARDS:]
    for kept, life_ms in ((short, SHORT_MS), (long, HOUR_MS)):
        for key in kept:
            yield from client.put(key, b"kept", Expiry(life_ms, relative=True))
    yield from fleet.joined(DESTINATION)
    yield from fleet.left(SOURCE)
    for key in long:
        left_ms = yield from client.left_ms(key)
        stage.check(0 < left_ms <= HOUR_MS, f"{key!r} has {left_ms} ms left of {HOUR_MS}")
    began_us = stage.now_us
    for key in short:
        while (yield from client.get(key)) is not None:
            is_time = stage.now_us - began_us < GONE_US
            stage.check(is_time, f"{key!r} is there {GONE_US / 1e6:g} s after it moved")
            yield Sleep(LOOK_US)
    stage.budget("us until keys of five seconds are gone", stage.now_us - began_us, GONE_US)
