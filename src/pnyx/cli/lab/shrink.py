"""lab shrink: the smallest run that breaks the same invariant."""

import sys
from pathlib import Path

from pnyx.cli.lab.run import run_and_trace, seed_of, show_outcome
from pnyx.cli.options import Count
from pnyx.cli.progress import Progress
from pnyx.cli.statuses import OK
from pnyx.cli.writing import refuse_unwritable
from pnyx.consensus.engines import EngineName
from pnyx.harness.codehash import code_hash
from pnyx.lab.judge import watched
from pnyx.lab.replay import parse, plan_of
from pnyx.lab.shrink import RUNS_MAX, Shrinking, shrink as shrink_outcome
from pnyx.lab.swarm import Plan, draw
from pnyx.lab.variants import is_swarm


def shrink(
    what: str,
    *,
    consensus: EngineName = EngineName.RAFT,
    runs: Count = RUNS_MAX,
    trace: Path | None = None,
) -> int:
    """Find the smallest run that breaks the same rule; exit status 6 if any is broken.

    Args:
        what: a seed of the swarm, or the line that a failed run printed.
        consensus: of a seed: the engine that groups run, raft or multipaxos; a line says it itself.
        runs: try at most so many runs.
        trace: write every event of the smallest run into this file, a JSON object a line.
    """
    refuse_unwritable(trace)
    outcome = watched(plan_from(what, consensus))
    if outcome.violation is None:
        print(f"seed {outcome.plan.seed} breaks nothing: there is nothing to shrink")
        return OK
    progress = Progress(runs, "runs tried")

    def told(shrinking: Shrinking) -> None:
        progress.step(f"{len(shrinking.plan.faults)} faults, {shrinking.requests} requests")

    smallest = shrink_outcome(outcome, watched, runs, told)
    progress.end()
    plan = smallest.plan
    print(
        f"from {len(outcome.plan.faults)} faults and {outcome.requests} requests to "
        f"{len(plan.faults)} and {smallest.requests}, in {smallest.runs} runs",
        file=sys.stderr,
    )
    print(plan)
    return show_outcome(run_and_trace(plan, trace))


def plan_from(what: str, consensus: EngineName) -> Plan:
    """Return the run that a seed, on that engine, or a replay line means."""
    if what.isdecimal():
        return draw(seed_of(what), consensus=consensus)
    line = parse(what, code_hash())
    return plan_of(line) if is_swarm(line.what) else draw(line.seed)
