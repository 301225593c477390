"""What the H scenarios share: sixty keys in twelve shards, and a look at them with a group down."""

from collections.abc import Callable, Generator
from typing import Any, Final

from pnyx.lab.layout import Layout, apart
from pnyx.lab.scenario import Scenario, Script, Sleep, Step, Until
from pnyx.lab.scenarios.clerks import Clerk, Notes
from pnyx.lab.scenarios.fleet import Fleet, fleet_scenario, keys_by_shard
from pnyx.machine.commands import Get
from pnyx.machine.holdings import WRONG_SHARD
from pnyx.machine.results import Result

SHARDS: Final = 12
KEYS: Final = 60
GETS_US: Final = 2_000_000
BACK_US: Final = 10_000_000
CHANGE_US: Final = 200_000
"""Between changes of the groups."""


def groups(count: int) -> Layout:
    """Return groups 1, 2, ... on nodes of their own."""
    return apart(range(1, 1 + count), shards=SHARDS)


def sixty(fleet: Fleet, *, size: int = 5, lossy: bool = False) -> Notes:
    """Return the keys, not written yet."""
    return Notes(Clerk(fleet, "client", lossy), keys_by_shard(KEYS, SHARDS), size=size)


def on_five_groups(fleet: Fleet) -> Generator[Step, Any, Notes]:
    """Return the keys, written while group 1 had all of them; four more have joined since."""
    yield from fleet.join(1)
    notes = sixty(fleet)
    yield from notes.put_all()
    for group in range(2, 6):
        yield from fleet.joined(group)
    return notes


def shutdown_check(fleet: Fleet, notes: Notes, *others: int) -> Script:
    """Shut each of `others` in turn: some keys are read meanwhile, and none is wrong."""
    stage = fleet.stage
    for group in others:
        fleet.shut(group)
        right: list[bool] = []
        for number, key in enumerate(notes.keys):
            clerk = Clerk(fleet, f"g{group} reader {number}")
            stage.spawn(_read(clerk, key, notes.values[key], right))
        yield Sleep(GETS_US)
        stage.check(len(right) < KEYS, f"all keys were read although group {group} was down")
        fleet.start(group)
        yield Until(lambda: len(right) == KEYS, BACK_US)  # noqa: B023 - this turn's own
        stage.check(len(right) == KEYS, f"{KEYS - len(right)} readers wait after {group} was back")
        stage.check(all(right), "a reader was told something else than was written")


def refused(clerk: Clerk, key: bytes) -> Generator[Step, Any, bool]:
    """Return whether whom the clerk believes to have a key refuses it."""
    told: tuple[Result] | None = None
    while told is None:
        told = yield from clerk.told(key, Get(key))
    return told[0] == WRONG_SHARD


def _read(clerk: Clerk, key: bytes, expected: bytes, right: list[bool]) -> Script:
    value = yield from clerk.get(key)
    right.append(value == expected)


def sixty_scenario(
    identifier: str, count: int, *, about: str, source: str, **more: Any
) -> Callable[[Callable[..., Script]], Scenario]:
    """Make a script a scenario of so many groups of three."""
    return fleet_scenario(
        identifier,
        about=about,
        source=f"MIT 6.5840 lab 5 (shardkv1), {source}",
        layout=groups(count),
        **more,
    )
