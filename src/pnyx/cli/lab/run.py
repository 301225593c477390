"""lab run: one seed of the swarm, or one scenario, told so that it can be understood."""

import sys
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from pnyx.harness.codehash import code_hash
from pnyx.lab import trace as traces
from pnyx.lab.catalogue import scenario_named
from pnyx.lab.judge import judges, watched_scenario
from pnyx.lab.replay import SWARM, Line, line_of
from pnyx.lab.run import Outcome, run as run_plan
from pnyx.lab.stage import Result
from pnyx.lab.swarm import Plan, draw

CLEAN: Final = 0
VIOLATED: Final = 6


def run(
    what: str,
    *,
    seed: int = 1,
    trace: Path | None = None,
    quiet: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Run one seed of the swarm, or one scenario; exit status 6 if anything broke.

    Args:
        what: a seed (`pnyx lab run 18`), or a scenario's id (`pnyx lab run R-B9`).
        seed: of a scenario.
        trace: write every event into this file, a JSON object a line.
        quiet: print only what broke.
    """
    if what.isdigit():
        plan = draw(int(what) % 2**64)
        if not quiet:
            print(plan)
        return show_outcome(run_and_trace(plan, trace), quiet=quiet)
    result = watched_scenario(scenario_named(what), seed)
    return show_result(result, quiet=quiet)


def run_and_trace(plan: Plan, trace: Path | None) -> Outcome:
    """Run `plan` with all judges; write its trace if it is wanted."""
    if trace is None:
        return run_plan(plan, judges())
    recorders: list[traces.Recorder] = []
    outcome = run_plan(
        plan, judges(), prepare=lambda world: recorders.append(traces.Recorder(world))
    )
    header = traces.Header(SWARM, plan.seed, code_hash())
    with trace.open("wb") as file:
        file.writelines(traces.write(header, recorders[0].rows))
    return outcome


def show_outcome(outcome: Outcome, *, quiet: bool = False) -> int:
    """Print what became of a run of the swarm."""
    violation = outcome.violation
    if not quiet or violation is not None:
        print(
            f"{outcome.events} events in {outcome.simulated_us / 1e6:.2f} simulated seconds, "
            f"{outcome.done} of {outcome.requests} requests answered, hash {outcome.hash}"
        )
    if violation is None:
        if not quiet:
            print("clean: every invariant held, every answer was right")
        return CLEAN
    sys.stdout.flush()
    print(f"violated  {violation.invariant}", file=sys.stderr)
    print(f"          {violation.sentence}", file=sys.stderr)
    line = line_of(outcome.plan, code_hash())
    print(f"again     pnyx lab replay {line}", file=sys.stderr)
    if outcome.plan == draw(outcome.plan.seed):
        print(f"smaller   pnyx lab shrink {outcome.plan.seed}", file=sys.stderr)
    return VIOLATED


def show_result(result: Result, *, quiet: bool = False) -> int:
    """Print what became of a scenario."""
    scenario = result.scenario
    if not quiet:
        print(f"{scenario.id}  {scenario.about}")
        print(f"  from {scenario.source}; {scenario.nodes} nodes, seed {result.seed}")
        for budget in result.budgets:
            print(f"  {budget}")
        print(
            f"  {result.events} events in {result.simulated_us / 1e6:.2f} simulated seconds, "
            f"hash {result.hash}"
        )
    if result.ok:
        if not quiet:
            print("  passed")
        return CLEAN
    sys.stdout.flush()
    why = result.failed
    if result.violation is not None:
        why = f"{result.violation.invariant}: {result.violation.sentence}"
    print(f"failed    {scenario.id}: {why}", file=sys.stderr)
    line = Line(scenario.id, result.seed, code_hash())
    print(f"again     pnyx lab replay {line}", file=sys.stderr)
    return VIOLATED
