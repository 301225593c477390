"""Multi-Paxos in the Lab: clean storms, its own situations, scenarios of both engines, replay."""

import pytest

from lab.storms import Storm, storm
from pnyx.consensus.engines import EngineName
from pnyx.errors import Unlisted
from pnyx.lab.catalogue import scenario_named
from pnyx.lab.invariants.invariant import Marks
from pnyx.lab.judge import judged, watched, watched_scenario
from pnyx.lab.replay import line_of, parse, plan_of
from pnyx.lab.swarm import draw

PAXOS = EngineName.MULTIPAXOS


def test_stormy_runs_are_clean_and_reach_what_paxos_promises() -> None:
    marks = Marks()
    for seed in range(1, 5):
        run: Storm = storm(seed, 3 if seed % 2 else 5, consensus=PAXOS)
        run.run()
        assert run.world.violation is None, seed
        assert run.invariants.record.count > 30
        marks.add(run.marks)
    assert {"log_accepted_whole", "restart_after_a_ballot", "neighbour_is_happy"} <= set(
        marks.counts
    )


def test_runs_of_the_swarm_are_clean_and_the_same_seed_is_the_same_run() -> None:
    plan = draw(1, safety_us=1_500_000, consensus=PAXOS)
    first, second = watched(plan), watched(plan)
    assert first.violation is None
    assert first.hash == second.hash
    assert first.hash != watched(draw(1, safety_us=1_500_000)).hash


def test_a_replay_line_names_the_engine() -> None:
    plan = draw(3, consensus=PAXOS)
    line = line_of(plan, "abc")
    assert line == "swarm@multipaxos/3/abc"
    assert plan_of(parse(line, "abc")) == plan
    shorter = draw(3, safety_us=900_000, consensus=PAXOS)
    assert plan_of(parse(line_of(shorter, "abc"), "abc")) == shorter


def test_what_is_kept_of_a_run_says_on_which_engine_it_was() -> None:
    kept = judged(draw(199, consensus=PAXOS), "abc")
    assert (kept.what, kept.ok) == ("swarm@multipaxos", True)
    assert "log_adopted" in dict(kept.marks)


def test_an_engine_that_nobody_knows_is_an_error_that_says_which_there_are() -> None:
    with pytest.raises(Unlisted, match="no engine zab") as wrong:
        scenario_named("R-B1@zab")
    assert "raft, multipaxos" in wrong.value.cause


@pytest.mark.parametrize(
    "name",
    [
        "X-C1",
        "X-C2",
        "X-C3",
        "X-C4",
        "R-A1",
        "R-B3",
        "R-C1",
        "M-1",
        "K-X2",
        "X-P1",
        "C-2",
        "S-1",
        "H-2",
    ],
)
def test_scenarios_hold_on_multipaxos_too(name: str) -> None:
    result = watched_scenario(scenario_named(f"{name}@multipaxos"), 1)
    assert result.ok, result.failed or result.violation


@pytest.mark.parametrize("seed", [25061, 25570, 25659, 24527])
def test_candidates_do_not_keep_each_other_from_leading_for_ever(seed: int) -> None:
    """All elected nobody within 20 election timeouts."""
    assert judged(draw(seed, consensus=PAXOS), "abc").ok


def test_a_log_that_was_cut_and_compacted_to_its_end_can_be_read_again() -> None:
    """The node could not start again: tests/storage/test_wal.py has what was on its disk."""
    assert judged(draw(25704, consensus=PAXOS), "abc").ok


def test_a_node_whose_question_was_lost_while_it_forms_asks_again() -> None:
    """A wiped node heard from nobody that the cluster had formed, and waited for ever."""
    assert judged(draw(25738, consensus=PAXOS), "abc").ok


def test_clients_of_a_healed_core_wait_as_long_as_a_write_takes_there() -> None:
    """Each attempt of a session ended before its write was committed, on slow disks and links."""
    assert judged(draw(25772, consensus=PAXOS), "abc").ok


def test_a_parcel_may_end_a_change_of_members_and_commit_by_its_outcome() -> None:
    # Two acceptances came in one: by the first the joint membership was chosen and the next one
    # appended, by the second entries between them were chosen by the voters of that alone.
    assert judged(draw(815892621867, consensus=PAXOS), "abc").ok
