"""lab run: one seed of the swarm, or one scenario, told so that it can be understood."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from pnyx.consensus.engines import EngineName
from pnyx.errors import Unlisted
from pnyx.harness import realstage
from pnyx.harness.codehash import code_hash
from pnyx.lab import trace as traces
from pnyx.lab.catalogue import scenario_named
from pnyx.lab.judge import judges, watched_scenario
from pnyx.lab.linearizability import judge
from pnyx.lab.recording import history_of
from pnyx.lab.refutation import refute
from pnyx.lab.replay import Line, line_of
from pnyx.lab.report import Band, page
from pnyx.lab.run import Outcome, run as run_plan
from pnyx.lab.scenario import Scenario
from pnyx.lab.stage import Result
from pnyx.lab.swarm import Plan, draw
from pnyx.lab.variants import SWARM, on_engine

CLEAN: Final = 0
VIOLATED: Final = 6


def run(
    what: str,
    *,
    seed: int = 1,
    consensus: EngineName = EngineName.RAFT,
    real: Annotated[bool, Parameter(negative="")] = False,
    trace: Path | None = None,
    report: Path | None = None,
    history: Path | None = None,
    quiet: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Run one seed of the swarm, or one scenario; exit status 6 if anything broke.

    Args:
        what: a seed (`pnyx lab run 18`), or a scenario's id (`pnyx lab run R-B9`).
        seed: of a scenario.
        consensus: the engine that groups run, raft or multipaxos.
        real: of a scenario that is marked for it: on real processes of this machine.
        trace: write every event into this file, a JSON object a line.
        report: of a seed: write a page for a browser, clients' operations under the faults.
        history: of a seed: write what clients saw into this file, for `pnyx lab check`.
        quiet: print only what broke.
    """
    if what.isdigit():
        plan = draw(int(what) % 2**64, consensus=consensus)
        if not quiet:
            print(plan)
        outcome = run_and_trace(plan, trace)
        write_views(outcome, report, history)
        return show_outcome(outcome, quiet=quiet)
    scenario = scenario_named(on_engine(what, consensus))
    if real:
        return _run_on_processes(scenario, seed)
    return show_result(watched_scenario(scenario, seed), quiet=quiet)


def _run_on_processes(scenario: Scenario, seed: int) -> int:
    if not scenario.real:
        raise Unlisted(
            f"{scenario.id} does not run on real processes; nothing was started",
            cause="its script does what only a simulated cluster can do",
            next_step="leave --real out, or see which do with `pnyx lab scenarios`",
        )
    result = realstage.play(scenario, seed)
    print(f"{scenario.id}  {scenario.about}")
    for budget in result.budgets:
        print(f"  {budget}")
    if result.ok:
        print(f"  passed on {scenario.nodes} real processes in {result.seconds:.1f} s")
        return CLEAN
    print(f"failed    {scenario.id}: {result.failed}", file=sys.stderr)
    return VIOLATED


def run_and_trace(plan: Plan, trace: Path | None) -> Outcome:
    """Run `plan` with all judges; write its trace if it is wanted."""
    if trace is None:
        return run_plan(plan, judges(plan))
    recorders: list[traces.Recorder] = []
    outcome = run_plan(
        plan, judges(plan), prepare=lambda world: recorders.append(traces.Recorder(world))
    )
    header = traces.Header(on_engine(SWARM, plan.world.consensus), plan.seed, code_hash())
    with trace.open("wb") as file:
        file.writelines(traces.write(header, recorders[0].rows))
    return outcome


def write_views(outcome: Outcome, report: Path | None, history: Path | None) -> None:
    """Write the clients' view of a run where it is wanted: a page, a file of operations."""
    if report is None and history is None:
        return
    seen = history_of(outcome.clients.tickets)
    if history is not None:
        with history.open("w", encoding="utf-8") as file:
            file.writelines(seen.lines())
    if report is not None:
        verdict = judge(seen)
        refutation = refute(seen, verdict) if verdict.word == "not linearizable" else None
        bands = [
            Band(str(fault.kind), fault.at_us, fault.at_us + fault.lasts_us, _labels(fault.nodes))
            for fault in outcome.plan.faults
        ]
        title = f"seed {outcome.plan.seed}"
        report.write_text(
            page(seen, verdict, refutation, bands=bands, title=title), encoding="utf-8"
        )
        print(f"{report} shows it in a browser", file=sys.stderr)


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
    if outcome.plan.kept is None:
        print(f"smaller   pnyx lab shrink {line}", file=sys.stderr)
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
    if not quiet or not result.ok:
        for told in result.story:
            print(f"  {told}")
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


def _labels(numbers: Sequence[int]) -> tuple[str, ...]:
    return tuple(f"n{number}" for number in numbers)
