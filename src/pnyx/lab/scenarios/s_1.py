"""S-1: while one of two groups is down, the shards of the other are served."""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, Until
from pnyx.lab.scenarios.clerks import Clerk
from pnyx.lab.scenarios.fleet import Fleet, fleet_scenario, keys_by_shard, manned
from pnyx.lab.stage import WorldStage

CLIENTS: Final = 10
DOWN_US: Final = 2_000_000
BACK_US: Final = 10_000_000


@fleet_scenario(
    "S-1",
    about="of ten clients exactly five are answered while one of two groups is down, then all",
    source="MIT 6.5840 lab 5B, TestStaticShards",
)
def static(stage: WorldStage) -> Script:
    """Two groups, ten keys; one group loses power and comes back."""
    fleet = yield from manned(stage)
    yield from fleet.joined(100, 101)
    keys = keys_by_shard(CLIENTS, fleet.layout.shards)
    clerk = Clerk(fleet, "first")
    for key in keys:
        yield from clerk.put(key, b"of " + key)
    fleet.shut(101)
    right: list[bool] = []
    for number, key in enumerate(keys):
        stage.spawn(_read(fleet, number, key, right))
    yield Sleep(DOWN_US)
    stage.budget("clients answered while a group is down", len(right), 5, 5)
    fleet.start(101)
    back = yield Until(lambda: len(right) == CLIENTS, BACK_US)
    stage.check(back, f"{len(right)} of {CLIENTS} clients were answered after the group was back")
    stage.check(all(right), "a client read something else than was put")


def _read(fleet: Fleet, number: int, key: bytes, right: list[bool]) -> Script:
    value = yield from Clerk(fleet, f"reader {number}").get(key)
    right.append(value == b"of " + key)
