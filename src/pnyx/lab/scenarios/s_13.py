"""S-13: a group serves what it has while a move to it can never end."""

from typing import Final

from pnyx.lab.network import MIT_UNRELIABLE
from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.clerks import Clerk, Notes
from pnyx.lab.scenarios.fleet import fleet_scenario, keys_by_shard, manned
from pnyx.lab.stage import WorldStage

KEYS: Final = 10


@fleet_scenario(
    "S-13",
    about="a group reads and writes its five shards while five more are to come from a dead one",
    source="MIT 6.5840 lab 5B, TestChallenge2Unaffected",
    compact_bytes=100,
    profile=MIT_UNRELIABLE,
    unreliable=True,
)
def unaffected(stage: WorldStage) -> Script:
    """The group that is to leave is shut before; it comes back in the end, and leaves."""
    fleet = yield from manned(stage)
    yield from fleet.join(100)
    notes = Notes(Clerk(fleet, "client", lossy=True), keys_by_shard(KEYS, fleet.layout.shards))
    yield from notes.put_all()
    yield from fleet.joined(101)
    directory = yield from fleet.operator.directory()
    own = [key for key, each in zip(notes.keys, directory.shards, strict=True) if each.group == 101]
    stage.budget("keys of the group that stays", len(own), KEYS // 2, KEYS // 2)
    yield Sleep(1_000_000)
    for key in own:
        yield from notes.append(key)
    fleet.shut(100)
    yield from fleet.leave(100)
    yield Sleep(1_000_000)
    began_us = stage.now_us
    for key in own:
        yield from notes.check([key])
        yield from notes.append(key)
    spent_s = (stage.now_us - began_us) / 1e6
    stage.budget("s for ten reads and appends meanwhile", spent_s, 10)
    fleet.start(100)
    yield from fleet.settled()
    yield from notes.check()
