"""S-X4: a group that joins gets shards of one that is dead and of one that lives."""

from typing import Final

from pnyx.lab.layout import apart
from pnyx.lab.scenario import Script, Until
from pnyx.lab.scenarios.clerks import Clerk, Notes
from pnyx.lab.scenarios.fleet import fleet_scenario, keys_by_shard, ledgers_of, manned
from pnyx.lab.stage import WorldStage
from pnyx.replica.limits import MigrationLimits

DEAD: Final = 100
LIVE: Final = 101
JOINS: Final = 102
SHARDS: Final = 36
LIMITS: Final = MigrationLimits(moves=2, chunk_bytes=150, freeze_bytes=4_000)
"""Fewer at a time than there are shards of the dead group, which come first."""
WITHIN_US: Final = 15_000_000
BUDGET_S: Final = 6


@fleet_scenario(
    "S-X4",
    about="shards of a dead group hold up none of those that come from a living one",
    source="sharding: shards that do not wait for each other",
    layout=apart((DEAD, LIVE, JOINS), shards=SHARDS),
    migration=LIMITS,
)
def one_stalls(stage: WorldStage) -> Script:
    """The first of two groups is shut; a third one joins, and gets what the second has for it."""
    fleet = yield from manned(stage)
    yield from fleet.joined(DEAD, LIVE)
    notes = Notes(Clerk(fleet, "client"), keys_by_shard(SHARDS, SHARDS))
    yield from notes.put_all()
    fleet.shut(DEAD)
    before = yield from fleet.operator.directory()
    newest = yield from fleet.join(JOINS)
    began_us = stage.now_us
    coming = [
        shard
        for shard, (serving, target) in enumerate(zip(before.shards, newest.targets, strict=True))
        if target == JOINS and serving.group == LIVE
    ]
    stalled = newest.targets.count(JOINS) - len(coming)
    stage.budget("shards of the dead group, at two a time", stalled, SHARDS, 2 * LIMITS.moves)
    ledgers = ledgers_of(stage)
    assert ledgers is not None, "a fleet is judged"
    there = yield Until(lambda: all(ledgers.owner(shard) == JOINS for shard in coming), WITHIN_US)
    stage.check(there, f"shards of a living group did not come within {WITHIN_US / 1e6:g} s")
    spent_s = (stage.now_us - began_us) / 1e6
    stage.budget("s until the shards of the living group have come", spent_s, BUDGET_S)
    yield from notes.check([notes.keys[shard] for shard in coming])
    fleet.start(DEAD)
    yield from fleet.settled()
    yield from notes.check()
