"""lab zoo: the planted bugs with their stories, and the hunt for them."""

import sys
from itertools import count
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter

from pnyx.cli.lab.campaign import seeds_of
from pnyx.cli.output import Form, show
from pnyx.cli.progress import Progress
from pnyx.cli.statuses import OK, VIOLATED
from pnyx.cli.writing import refuse_unwritable, written
from pnyx.lab.run import Outcome
from pnyx.lab.shrink import shrink
from pnyx.lab.swarm import Plan
from pnyx.lab.telling import told
from pnyx.lab.trace import Recorder
from pnyx.lab.zoo import pinned, sizes as sizes_of_zoo
from pnyx.lab.zoo.catalogue import ABSENT, MUTANTS, named
from pnyx.lab.zoo.hunting import Found, hunt as hunt_one, hunt_all, judged, measure as measure_all
from pnyx.lab.zoo.mutant import Mutant
from pnyx.lab.zoo.page import pinned_source, sizes_source

SHRINKING_RUNS: Final = 200
LINES_MAX: Final = 40

zoo = App(name="zoo", help="The bugs that the Lab must catch, and the hunt for them.")


@zoo.default
def names(*, output: Form = "table") -> int:
    """List every planted bug, and those that have no place to live here.

    Args:
        output: table, json, jsonl or plain.
    """
    rows: list[dict[str, object]] = []
    for mutant in MUTANTS:
        pin = pinned.PINNED.get(mutant.name)
        rows.append(
            {
                "name": mutant.name,
                "story": mutant.story,
                "seen": mutant.seen,
                "caught by": pin.invariant if pin else None,
                "runs": pin.runs if pin else None,
            }
        )
    rows += [{"name": entry.id, "story": f"{entry.what}: {entry.why}"} for entry in ABSENT]
    columns = ("name", "caught by", "runs", "story")
    show(rows, columns if output == "table" else (*columns, "seen"), output)
    return OK


@zoo.command
def hunt(
    name: str = "",
    *,
    every: Annotated[bool, Parameter(name="--all", negative="")] = False,
    seeds: str = "",
    pins: Path | None = None,
) -> int:
    """Plant a bug and look for a run that notices; show the smallest. Status 6 if none does.

    Args:
        name: a bug's name or number (`pnyx lab zoo`), as C3.
        every: hunt all of them, and write the seeds that caught them into zoo/pinned.py.
        seeds: where to look, as 0..1999; left out, the first 2,000 runs that can show it.
        pins: the file to write with --all; left out, the one of this checkout.
    """
    if every:
        path = pins or Path(pinned.__file__)
        refuse_unwritable(path)
        return _hunt_all(seeds_of(seeds or "0..1999"), path)
    mutant = named(name)
    print(f"{mutant.name}\n  {mutant.story}\n  seen in {mutant.seen}")
    found = hunt_one(mutant, seeds_of(seeds) if seeds else count())
    if found is None:
        print("not caught: a hole in the Lab", file=sys.stderr)
        return VIOLATED
    _show(mutant, found)
    return OK


@zoo.command
def measure(*, sizes: Path | None = None) -> int:
    """Make the pinned run of every bug in the swarm as small as it gets; write zoo/sizes.py.

    Args:
        sizes: the file to write; left out, the one of this checkout.
    """
    path = sizes or Path(sizes_of_zoo.__file__)
    refuse_unwritable(path)
    progress = Progress(sum(not mutant.scenario for mutant in MUTANTS), "bugs")
    measured = {}
    for mutant, size in measure_all(pinned.PINNED, MUTANTS):
        progress.step(mutant.name)
        measured[mutant.name] = size
    progress.end()
    with written(path) as file:
        file.write(sizes_source(measured).encode())
    print(f"{len(measured)} measured; {path.name} is written", file=sys.stderr)
    return OK


def _show(mutant: Mutant, found: Found) -> None:
    print(f"caught by {found.violation.invariant} in run {found.runs}, seed {found.seed}")
    before = found.outcome
    if before is None:
        print(f"in a run of {mutant.scenario}: pnyx lab run {mutant.scenario} --seed {found.seed}")
        print(f"violated  {found.violation.invariant}\n          {found.violation.sentence}")
        return
    progress = Progress(SHRINKING_RUNS, "runs tried to make it smaller")

    def again(plan: Plan) -> Outcome:
        progress.step()
        return judged(plan, mutant)

    smallest = shrink(before, again, SHRINKING_RUNS)
    progress.end()
    recorders: list[Recorder] = []
    judged(smallest.plan, mutant, prepare=lambda world: recorders.append(Recorder(world)))
    print(
        f"made smaller: {len(before.plan.faults)} faults and {before.requests} requests became "
        f"{len(smallest.plan.faults)} and {smallest.requests}"
    )
    print(smallest.plan)
    print("what happened:")
    for line in told(recorders[0].rows, LINES_MAX):
        print(line)
    violation = smallest.outcome.violation
    assert violation is not None, "shrinking keeps what breaks"
    print(f"violated  {violation.invariant}\n          {violation.sentence}")


def _hunt_all(seeds: list[int], pins: Path) -> int:
    progress = Progress(len(MUTANTS), "bugs")
    caught: dict[str, pinned.Pin] = {}
    missed: list[str] = []
    rows: list[dict[str, object]] = []
    for hunted in hunt_all(MUTANTS, first_seed=seeds[0], runs_max=len(seeds)):
        progress.step(hunted.mutant.name)
        found = hunted.found
        if found is None:
            missed.append(hunted.mutant.name)
            continue
        invariant = found.violation.invariant
        caught[hunted.mutant.name] = pinned.Pin(found.seed, invariant, found.runs)
        rows.append({"name": hunted.mutant.name, "caught by": invariant, "runs": found.runs})
    progress.end()
    show(rows, ("name", "caught by", "runs"), "table")
    with written(pins) as file:
        file.write(pinned_source(caught).encode())
    print(f"{len(caught)} of {len(MUTANTS)} caught; {pins.name} is written", file=sys.stderr)
    if missed:
        print(f"not caught: {', '.join(missed)}", file=sys.stderr)
    return VIOLATED if missed else OK
