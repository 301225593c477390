"""A turn that is not taken would have found nothing."""

import pytest

from pnyx.consensus.engines import EngineName
from pnyx.consensus.ready import Ready
from pnyx.ids import GroupId
from pnyx.lab.catalogue import scenario_named
from pnyx.lab.judge import watched, watched_scenario
from pnyx.lab.swarm import draw
from pnyx.replica.effects import Effects, Now
from pnyx.replica.replica import Replica
from pnyx.replica.roster import Roster

SEEDS = range(1, 6)


@pytest.fixture
def asked_twice(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ask once more whoever says that he has nothing more; return whoever had."""
    had: list[str] = []
    replica_once, roster_once = Replica.effects, Roster.effects

    def replica_effects(replica: Replica, now: Now) -> Effects | None:
        effects = replica_once(replica, now)
        if (effects is None or not effects.more) and replica_once(replica, now) is not None:
            had.append("a replica")
        return effects

    def roster_effects(roster: Roster, now: Now) -> list[tuple[GroupId, Effects]]:
        found = roster_once(roster, now)
        if not roster.busy and roster_once(roster, now):
            had.append("a roster")
        return found

    monkeypatch.setattr(Replica, "effects", replica_effects)
    monkeypatch.setattr(Roster, "effects", roster_effects)
    return had


@pytest.mark.parametrize("consensus", EngineName)
def test_who_says_that_there_is_no_more_has_no_more(
    asked_twice: list[str], consensus: EngineName
) -> None:
    for seed in SEEDS:
        assert watched(draw(seed, consensus=consensus)).violation is None
    assert asked_twice == []


@pytest.mark.parametrize("name", ["S-X6", "T-1"])
def test_who_says_that_no_group_has_more_to_do_is_right(asked_twice: list[str], name: str) -> None:
    result = watched_scenario(scenario_named(name), 11)
    assert result.ok, result.failed or result.violation
    assert asked_twice == []


def test_a_core_that_keeps_more_to_itself_is_found_out(
    asked_twice: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ready, "more", False)
    for seed in SEEDS:
        watched(draw(seed))
    assert asked_twice


def test_a_roster_that_forgets_the_controller_s_news_is_found_out(
    asked_twice: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Roster, "busy", property(lambda roster: bool(roster._dirty)))
    watched_scenario(scenario_named("T-1"), 11)
    assert "a roster" in asked_twice
