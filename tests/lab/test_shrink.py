"""Is a failure made small, and is it still the same failure?"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pnyx.consensus.raft import election
from pnyx.lab.judge import watched
from pnyx.lab.run import Outcome
from pnyx.lab.shrink import shrink
from pnyx.lab.swarm import draw
from pnyx.lab.zoo.catalogue import named
from pnyx.lab.zoo.hunting import judged

SEEDS_MAX = 200
SAFETY_US = 2_500_000
THINK_US_MIN = 10_000
"""Runs with fewer requests: each of the hundred below takes its time."""


@contextmanager
def anybody_gets_a_vote() -> Iterator[None]:
    """Plant: a vote without a look at the candidate's log (Raft §5.4.1)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(election, "_is_up_to_date", lambda *_: True)
        yield


def first_failure() -> Outcome:
    for seed in range(1, SEEDS_MAX):
        plan = draw(seed, safety_us=SAFETY_US)
        if plan.workload.think_us < THINK_US_MIN:
            continue
        outcome = watched(plan)
        if outcome.violation is not None:
            return outcome
    raise AssertionError(f"the planted bug was not found within {SEEDS_MAX} runs")


def test_a_planted_bug_is_shrunk_to_a_few_faults_that_break_the_same_rule() -> None:
    with anybody_gets_a_vote():
        outcome = first_failure()
        smallest = shrink(outcome, watched, runs_max=120)
        again = watched(smallest.plan)
    assert outcome.violation is not None
    assert again.violation is not None
    assert again.violation.invariant == outcome.violation.invariant
    assert len(smallest.plan.faults) <= min(10, len(outcome.plan.faults))
    assert smallest.requests <= 20
    assert smallest.runs <= 120
    # Without the bug the smallest run is clean: it shows the bug, not the shrinking.
    assert watched(smallest.plan).violation is None


def test_a_bug_that_hangs_on_one_moment_is_shrunk_to_the_request_that_met_it() -> None:
    mutant = named("G8")
    # Not the pinned run, which may be any: one that is long before the moment comes.
    outcome = judged(draw(390), mutant)
    smallest = shrink(outcome, lambda plan: judged(plan, mutant), runs_max=60)
    # Of thousands: those before it only said when it was made, which is kept now.
    assert outcome.requests > 1_000
    assert smallest.requests <= 3
    assert len(smallest.plan.faults) <= 3


def test_no_run_is_tried_once_enough_has_happened() -> None:
    with anybody_gets_a_vote():
        outcome = first_failure()
        smallest = shrink(outcome, watched, events_max=1)
    assert smallest.runs == 1
