"""S-X4A and S-X4B: a group that joins gets shards of one that dies and of one that lives."""

from typing import Final

from pnyx.lab.layout import apart
from pnyx.lab.scenario import Script, Until
from pnyx.lab.scenarios.clerks import Clerk, Notes
from pnyx.lab.scenarios.fleet import fleet_scenario, keys_by_shard, ledgers_of, manned
from pnyx.lab.scenarios.tripwire import Step, Tripwire
from pnyx.lab.stage import WorldStage
from pnyx.replica.limits import MigrationLimits

DEAD: Final = 100
LIVE: Final = 101
JOINS: Final = 102
SHARDS: Final = 42
LIMITS: Final = MigrationLimits(moves=2, chunk_bytes=150, freeze_bytes=4_000)
"""Fewer at a time than there are shards of the dead group, which come first."""
WITHIN_US: Final = 15_000_000
BUDGET_S: Final = 6


LAYOUT: Final = apart((DEAD, LIVE, JOINS), shards=SHARDS)
BEGUN_US: Final = 5_000_000


def _one_stalls(stage: WorldStage, *, copying: bool) -> Script:
    fleet = yield from manned(stage)
    yield from fleet.joined(DEAD, LIVE)
    notes = Notes(Clerk(fleet, "client"), keys_by_shard(SHARDS, SHARDS))
    yield from notes.put_all()
    if not copying:
        fleet.shut(DEAD)
    before = yield from fleet.operator.directory()
    newest = yield from fleet.join(JOINS)
    coming: dict[int, list[int]] = {DEAD: [], LIVE: []}
    for shard, (each, target) in enumerate(zip(before.shards, newest.targets, strict=True)):
        if target == JOINS:
            coming[each.group].append(shard)
    stalled = len(coming[DEAD])
    if copying:
        third = coming[DEAD][LIMITS.moves]
        wire = Tripwire(DEAD, JOINS, third, Step.COPYING, lambda: fleet.shut(DEAD))
        stage.world.watches.add(wire)
        yield Until(lambda: wire.reached, BEGUN_US)
        stage.check(wire.reached, f"shard {third} was not copied")
        stalled -= LIMITS.moves
    began_us = stage.now_us
    stage.budget("shards of the dead group, at two a time", stalled, SHARDS, 2 * LIMITS.moves)
    ledgers = ledgers_of(stage)
    assert ledgers is not None, "a fleet is judged"
    there = yield Until(
        lambda: all(ledgers.owner(shard) == JOINS for shard in coming[LIVE]), WITHIN_US
    )
    stage.check(there, f"shards of a living group did not come within {WITHIN_US / 1e6:g} s")
    spent_s = (stage.now_us - began_us) / 1e6
    stage.budget("s until the shards of the living group have come", spent_s, BUDGET_S)
    yield from notes.check([notes.keys[shard] for shard in coming[LIVE]])
    fleet.start(DEAD)
    yield from fleet.settled()
    yield from notes.check()


@fleet_scenario(
    "S-X4A",
    about="shards of a dead group hold up none of those that come from a living one",
    source="sharding: shards that do not wait for each other",
    layout=LAYOUT,
    migration=LIMITS,
)
def one_is_dead(stage: WorldStage) -> Script:
    """The first of two groups is shut; a third one joins, and gets what the second has for it."""
    yield from _one_stalls(stage, copying=False)


@fleet_scenario(
    "S-X4B",
    about="shards of a group that dies while it is copied hold up none of a living one",
    source="sharding: shards that do not wait for each other",
    layout=LAYOUT,
    migration=LIMITS,
)
def one_dies(stage: WorldStage) -> Script:
    """A third group joins; the first of the two dies when some of its shards are there."""
    yield from _one_stalls(stage, copying=True)
