"""Finding planted bugs: runs with a mutant in them until something breaks.

Most are runs of the general swarm. What it has no place for is hunted in a scenario.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from typing import Final

from pnyx.lab.catalogue import scenario_named
from pnyx.lab.judge import SCENARIO_FAILED, judges, watched_scenario
from pnyx.lab.run import Outcome, run
from pnyx.lab.shrink import shrink
from pnyx.lab.swarm import Plan, draw
from pnyx.lab.watch import Violation
from pnyx.lab.world import World
from pnyx.lab.zoo.mutant import Mutant, planted
from pnyx.lab.zoo.pinned import Pin
from pnyx.lab.zoo.sizes import Size

RUNS_MAX: Final = 2_000
"""A mutant that survives so many runs is a hole in the Lab."""

REQUESTS_MAX: Final = 300
"""A light run asks about so many."""
ANSWER_US: Final = 5_000
"""What an answer takes, more or less."""
MEASURE_EVENTS_MAX: Final = 40_000
"""Of the runs in which one bug is made smaller to be measured: some five seconds."""


@dataclass(frozen=True, slots=True)
class Found:
    """A run in which a mutant was caught."""

    mutant: Mutant
    seed: int
    violation: Violation
    outcome: Outcome | None
    """Of the swarm's run; None if it was one of a scenario."""
    runs: int
    """Of the hunt, this one included."""


@dataclass(frozen=True, slots=True)
class Hunted:
    """What became of one mutant's hunt."""

    mutant: Mutant
    found: Found | None


def light(seeds: Iterable[int]) -> Iterator[int]:
    """Yield those of `seeds` whose runs are short: what is pinned is played on every push."""
    for seed in seeds:
        plan = draw(seed)
        load = plan.workload
        asked = load.clients * plan.safety_us // (load.think_us + ANSWER_US)
        if asked <= REQUESTS_MAX:
            yield seed


def judged(
    plan: Plan, mutant: Mutant | None, *, prepare: Callable[[World], None] | None = None
) -> Outcome:
    """Carry out `plan` with `mutant` planted (None: the product as it is) and every judge there."""
    with planted(mutant):
        return run(plan, judges(plan), prepare=prepare)


def played(mutant: Mutant, seed: int, *, plant: bool = True) -> Violation | None:
    """Play the mutant's scenario with it planted (or as the product is); return what broke."""
    with planted(mutant if plant else None):
        result = watched_scenario(scenario_named(mutant.scenario), seed)
    if result.violation is None and result.failed:
        return Violation(SCENARIO_FAILED, result.failed)
    return result.violation


def fitting(mutant: Mutant, seeds: Iterable[int]) -> Iterator[int]:
    """Yield those of `seeds` whose runs can show the bug."""
    bias = mutant.bias
    return (seed for seed in seeds if bias is None or bias.fits(draw(seed)))


def hunt(mutant: Mutant, seeds: Iterable[int], *, runs_max: int = RUNS_MAX) -> Found | None:
    """Run the swarm of `seeds`, or the mutant's scenario, with it planted until anything breaks.

    Of a mutant with a bias only the fitting seeds are run, and counted.
    """
    for runs, seed in enumerate(islice(fitting(mutant, seeds), runs_max), start=1):
        outcome = None
        if mutant.scenario:
            violation = played(mutant, seed)
        else:
            outcome = judged(draw(seed, consensus=mutant.consensus), mutant)
            violation = outcome.violation
        if violation is not None:
            return Found(mutant, seed, violation, outcome, runs)
    return None


def measure(pins: Mapping[str, Pin], mutants: Iterable[Mutant]) -> Iterator[tuple[Mutant, Size]]:
    """Shrink the run of the swarm in which each is pinned; yield how much is left of it."""
    for mutant in mutants:
        if mutant.scenario or mutant.name not in pins:
            continue
        seed = pins[mutant.name].seed
        caught = judged(draw(seed, consensus=mutant.consensus), mutant)
        judge = partial(judged, mutant=mutant)
        smallest = shrink(caught, judge, events_max=MEASURE_EVENTS_MAX)
        yield mutant, Size(seed, len(smallest.plan.faults), smallest.requests)


def hunt_all(
    mutants: Sequence[Mutant], *, first_seed: int = 0, runs_max: int = RUNS_MAX
) -> Iterator[Hunted]:
    """Hunt one after the other in light runs from `first_seed` on; yield each as it ends."""
    for mutant in mutants:
        every = count(first_seed)
        is_picked = mutant.scenario or mutant.bias
        seeds = every if is_picked else light(every)
        yield Hunted(mutant, hunt(mutant, seeds, runs_max=runs_max))
