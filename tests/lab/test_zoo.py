"""The zoo: every line of the list of bugs has an entry, and every planted bug is caught."""

from pathlib import Path
from typing import Any

import pytest

from pnyx.errors import Unlisted
from pnyx.lab.swarm import draw
from pnyx.lab.zoo import catalogue, page
from pnyx.lab.zoo.hunting import fitting, judged, measure, played
from pnyx.lab.zoo.mutant import Mutant, planted
from pnyx.lab.zoo.pinned import PINNED
from pnyx.lab.zoo.sizes import SIZES

LINES = {
    "A": (1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 14, 15, 17, 18),
    "B": (1, 2, 3, 4, 6, 7, 8, 9, 11),
    "C": (1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 15, 16),
    "D": (1, 2, 4, 5, 6, 7, 8, 10),
    "E": (1, 2, 3, 4, 6, 7, 9, 10, 11),
    "F": (1, 2, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14),
    "G": (1, 5, 6, 7, 8, 9, 10, 11, 12),
    "H": (1, 2, 3, 4, 6, 7, 8, 9, 10, 12, 13, 14, 15),
    "S": tuple(range(1, 17)),
    "P": tuple(range(1, 15)),
    "W": tuple(range(1, 9)),
}
"""The lines of the list of bugs, whose numbers never change."""
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "zoo.md"


def test_every_line_of_the_list_is_planted_or_says_why_not() -> None:
    wanted = [f"{family}{number}" for family, numbers in LINES.items() for number in numbers]
    assert list(dict.fromkeys(entry.id for entry in catalogue.ENTRIES)) == wanted


def test_every_mutant_is_pinned() -> None:
    assert list(PINNED) == [mutant.name for mutant in catalogue.MUTANTS]


IN_THE_SWARM = [mutant for mutant in catalogue.MUTANTS if not mutant.scenario]
IN_A_SCENARIO = [mutant for mutant in catalogue.MUTANTS if mutant.scenario]


@pytest.mark.parametrize("mutant", IN_A_SCENARIO, ids=lambda mutant: mutant.name)
def test_a_bug_planted_in_a_scenario_is_caught_at_its_seed_and_only_then(mutant: Mutant) -> None:
    seed = PINNED[mutant.name].seed
    violation = played(mutant, seed)
    assert violation is not None, "run: pnyx lab zoo hunt --all"
    assert violation.invariant in mutant.invariants
    assert played(mutant, seed, plant=False) is None


@pytest.mark.parametrize("mutant", IN_THE_SWARM, ids=lambda mutant: mutant.name)
def test_a_planted_bug_is_caught_at_its_seed_and_only_then(mutant: Mutant) -> None:
    plan = draw(PINNED[mutant.name].seed, consensus=mutant.consensus)
    violation = judged(plan, mutant).violation
    assert violation is not None, "run: pnyx lab zoo hunt --all"
    assert violation.invariant in mutant.invariants
    assert judged(plan, None).violation is None


def test_a_log_dropped_as_it_is_committed_does_not_blind_the_judges() -> None:
    # In this run a member learns that entries are committed and drops some of them in one event.
    violation = judged(draw(43), catalogue.named("A15")).violation
    assert violation is not None
    assert violation.invariant == "indexes_in_order"
    assert "dropped its log up to 37" in violation.sentence


def test_a_biased_hunt_makes_only_runs_of_the_swarm_that_can_show_its_bug() -> None:
    for mutant in [each for each in catalogue.MUTANTS if each.bias is not None]:
        seed = PINNED[mutant.name].seed
        assert list(fitting(mutant, (*range(20), seed))) == [seed]


def test_nothing_stays_planted() -> None:
    for mutant in catalogue.MUTANTS:
        patches = mutant.patches()
        owners = [(p.owner, p.name) for p in patches]
        before = [_held(*owner) for owner in owners]
        with planted(mutant):
            assert all(
                _held(owner, name) is not was
                for (owner, name), was in zip(owners, before, strict=True)
            )
        assert [_held(*owner) for owner in owners] == before


def test_an_unknown_mutant_is_an_error_that_says_what_to_do() -> None:
    assert catalogue.named("A1") is catalogue.named("A1-vote-not-durable")
    with pytest.raises(Unlisted, match="no bug called A6"):
        catalogue.named("A6")


def test_the_page_of_the_zoo_is_the_one_that_the_code_makes() -> None:
    assert PAGE.read_text() == page.page(), "run: make docs"


def test_the_table_of_pinned_seeds_is_written_as_it_is_read() -> None:
    source = Path(page.__file__).parent / "pinned.py"
    assert source.read_text() == page.pinned_source(PINNED)


def test_what_is_left_of_a_pinned_run_is_measured_by_shrinking_it() -> None:
    assert set(SIZES) <= {mutant.name for mutant in IN_THE_SWARM}
    assert all(size.seed == PINNED[name].seed for name, size in SIZES.items()), "measure it anew"
    cheap = [catalogue.named("A1"), catalogue.named("A8"), catalogue.named("S1")]
    measured = {mutant.name: size for mutant, size in measure(PINNED, cheap)}
    # One of a scenario is no run of the swarm, and is passed over.
    assert list(measured) == [mutant.name for mutant in cheap[:2]]
    assert measured == {name: SIZES[name] for name in measured}


def test_the_table_of_sizes_is_written_as_it_is_read() -> None:
    source = Path(page.__file__).parent / "sizes.py"
    assert source.read_text() == page.sizes_source(SIZES)


def _held(owner: Any, name: Any) -> object:
    return owner[name] if isinstance(owner, dict) else vars(owner)[name]
