"""Each judge of shards on several groups says no to exactly what it is there for."""

from collections.abc import Callable
from typing import Any, Final

import pytest
from msgspec import structs

from pnyx.ids import Epoch, ShardId
from pnyx.lab.catalogue import scenario_named
from pnyx.lab.judge import watched_scenario
from pnyx.lab.ownership import INVARIANTS
from pnyx.lab.zoo import catalogue
from pnyx.lab.zoo.mutant import planted
from pnyx.lab.zoo.pinned import PINNED
from pnyx.machine import moves as m, moving
from pnyx.machine.configuration import NOBODY
from pnyx.machine.directives import MoveCommitted
from pnyx.machine.keyspace import Keyspace
from pnyx.machine.moving import SHARDS
from pnyx.machine.results import Result
from pnyx.replica.arrival import Arrival
from pnyx.replica.asks import Ask

Patch = pytest.MonkeyPatch
SCENARIO: Final = "S-X2-6"
"""Somebody moves a shard under clients, and loses the source's leader at the freeze."""


def _found_all(patch: Patch) -> None:
    right = moving._found_shards

    def found(keyspace: Keyspace, command: m.FoundShards) -> Result:
        assert keyspace.holdings is not None
        every = tuple(map(ShardId, range(keyspace.holdings.count)))
        return right(keyspace, structs.replace(command, shards=every))

    rules: dict[Any, Any] = SHARDS.commands
    patch.setitem(rules, m.FoundShards, found)


def _forget_the_floor(patch: Patch) -> None:
    right = moving._empty

    def empty(keyspace: Keyspace, shard: ShardId, held: Any, floor: Epoch) -> None:
        right(keyspace, shard, held, Epoch(0))

    patch.setattr(moving, "_empty", empty)


def _delete_nothing(patch: Patch) -> None:
    patch.setattr(Keyspace, "drop", lambda *_: None)


def _report_too_early(patch: Patch) -> None:
    right = Arrival._finish

    def early(self: Arrival, frozen: m.Frozen) -> Ask:
        if self._last is None:
            return right(self, frozen)
        return self._ask(NOBODY, MoveCommitted(self.shard, Epoch(self.epoch + 1), self._me))

    patch.setattr(Arrival, "_finish", early)


BREAKS: Final[dict[str, Callable[[Patch], None]]] = {
    "one_group_serves_a_shard": _found_all,
    "epochs_and_floors_grow": _forget_the_floor,
    "old_copy_gone_with_its_entry": _delete_nothing,
    "directory_follows_the_log": _report_too_early,
}
MUTANTS: Final = {
    "done_only_where_served": ("S1", "S-X2-19"),
    "effects_follow_one_history": ("G12-session-write-runs-again", "S-9"),
}
"""Bugs of the zoo that are pinned by what notices them elsewhere, and where these judges do."""


def broken(scenario: str = SCENARIO, seed: int = 1) -> str:
    violation = watched_scenario(scenario_named(scenario), seed).violation
    return "" if violation is None else violation.invariant


def test_nothing_is_broken_where_nothing_is_planted() -> None:
    assert broken() == ""


def test_a_late_done_of_an_old_move_takes_no_shard_away_that_came_back() -> None:
    # Its entry is told OK, and does a write of the shard after it.
    assert broken("S-X6", 968292408272) == ""


@pytest.mark.parametrize("name", BREAKS)
def test_a_judge_of_shards_says_no_when_that_is_broken(name: str, monkeypatch: Patch) -> None:
    BREAKS[name](monkeypatch)
    assert broken() == name


@pytest.mark.parametrize("name", MUTANTS)
def test_a_bug_of_the_zoo_is_noticed_by_the_judge_of_shards(name: str) -> None:
    mutant, scenario = MUTANTS[name]
    with planted(catalogue.named(mutant)):
        assert broken(scenario) == name


def test_every_invariant_of_shards_has_a_planted_break() -> None:
    pinned = {pin.invariant for pin in PINNED.values()}
    names = {invariant.name for invariant in INVARIANTS}
    assert names <= {*BREAKS, *MUTANTS} | pinned
