"""lab run: one seed of the swarm, or one scenario, told so that it can be understood."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from pnyx.cli.options import Flag, Seed
from pnyx.cli.statuses import OK, VIOLATED
from pnyx.cli.writing import refuse_unwritable, written
from pnyx.consensus.engines import EngineName
from pnyx.errors import SettingsWrong, Unlisted
from pnyx.harness import realstage
from pnyx.harness.codehash import code_hash
from pnyx.lab import trace as traces
from pnyx.lab.catalogue import scenario_named
from pnyx.lab.judge import judges, scenario_judges, watched_scenario
from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.linearizability import judge
from pnyx.lab.protocols import engine_named
from pnyx.lab.recording import history_of
from pnyx.lab.refutation import refute
from pnyx.lab.replay import Line, line_of
from pnyx.lab.report import Band, page
from pnyx.lab.run import Outcome, run as run_plan
from pnyx.lab.scenario import Scenario
from pnyx.lab.stage import Result, WorldStage
from pnyx.lab.swarm import Plan, draw
from pnyx.lab.telling import told
from pnyx.lab.variants import SWARM, on_engine
from pnyx.lab.zoo.catalogue import named as bug_named
from pnyx.lab.zoo.mutant import planted

LINES_MAX: Final = 100
"""Of a run that is watched, the last of what happened."""
SEED: Final = 1
"""Of a protocol or a scenario that is run without saying one."""
SEED_DIGITS_MAX: Final = len(str(2**64))


def run(
    what: str,
    *,
    seed: Seed | None = None,
    consensus: EngineName = EngineName.RAFT,
    watch: Flag = False,
    bug: Annotated[str, Parameter(name="--break")] = "",
    real: Flag = False,
    trace: Path | None = None,
    report: Path | None = None,
    history: Path | None = None,
    quiet: Flag = False,
) -> int:
    """Run a protocol, a seed or a scenario; exit status 6 if anything broke.

    Args:
        what: a protocol (single-decree, multi-instance, multipaxos, primary-backup, raft), a seed
            of Raft's (`pnyx lab run 18`), or a scenario's id (`pnyx lab run R-B9`).
        seed: of a protocol or a scenario; left out, 1.
        consensus: the engine that groups run, raft or multipaxos.
        watch: tell what happens: of lessons every message, of others who leads and who is there.
        bug: plant a bug of the zoo for this run, as P1 (`pnyx lab zoo`).
        real: of a scenario that is marked for it: on real processes of this machine.
        trace: write every event into this file, a JSON object a line; not of lessons.
        report: of a seed: write a page for a browser, clients' operations under the faults.
        history: of a seed: write what clients saw into this file, for `pnyx lab check`.
        quiet: print only what broke.
    """
    engine = engine_named(what)
    refuse_unwritable(trace, report, history)
    chosen = SEED if seed is None else seed
    with planted(bug_named(bug) if bug else None):
        if what.isdecimal() or engine is not None:
            if real:
                raise SettingsWrong(
                    f"{what} does not run on real processes; nothing was run",
                    cause="only scenarios do: a seed's faults are those of a simulated world",
                    next_step="leave --real out, or see which do with `pnyx lab scenarios`",
                )
            number = seed_of(what, seed) if engine is None else chosen
            plan = draw(number, consensus=engine or consensus)
            if not quiet:
                print(plan)
            outcome = run_and_trace(plan, trace, watch=watch)
            write_views(outcome, report, history)
            return show_outcome(outcome, quiet=quiet, bug=bug)
        scenario = scenario_named(on_engine(what, consensus))
        if report is not None or history is not None:
            raise _not_written("--report and --history", scenario, "only a seed's run keeps one")
        if real:
            if trace is not None:
                raise _not_written("--trace", scenario, "real processes have no list of events")
            return _run_on_processes(scenario, chosen)
        result = play_and_trace(scenario, chosen, trace, watch=watch)
        return show_result(result, quiet=quiet, bug=bug)


def seed_of(word: str, said: int | None = None) -> int:
    """Return the seed that `word`, all digits, is.

    Raises:
        SettingsWrong: it is too large to be one, or another was said besides.
    """
    if said is not None:
        raise SettingsWrong(
            f"--seed does not go with {word}; nothing was run",
            cause=f"{word} is a seed itself, and one run has one",
            next_step="leave one of them out, or name a protocol or a scenario",
        )
    # Python itself refuses to read a number of thousands of digits.
    if len(word) > SEED_DIGITS_MAX or int(word) >= 2**64:
        raise SettingsWrong(
            f"{word} is no seed; nothing was run",
            cause="seeds are below 2**64",
            next_step="write a smaller one",
        )
    return int(word)


def play_and_trace(
    scenario: Scenario, seed: int, trace: Path | None, *, watch: bool = False
) -> Result:
    """Play `scenario` with all judges; write its trace if wanted, and tell it if it is watched.

    Raises:
        SettingsWrong: it is a lesson and has no trace.
    """
    if scenario.lesson is not None:
        if trace is not None:
            raise _not_written("--trace", scenario, "a lesson has messages, which --watch tells")
        return LessonStage(scenario, seed, print if watch else None).run()
    if trace is None and not watch:
        return watched_scenario(scenario, seed)
    stage = WorldStage(scenario, seed, scenario_judges(scenario))
    recorder = traces.Recorder(stage.world)
    result = stage.run()
    if watch:
        _tell(recorder)
    if trace is not None:
        _write_trace(trace, scenario.id, seed, recorder)
    return result


def _not_written(option: str, scenario: Scenario, cause: str) -> SettingsWrong:
    return SettingsWrong(
        f"{option} cannot be written of {scenario.id}; nothing was run",
        cause=cause,
        next_step="leave the option out",
    )


def _tell(recorder: traces.Recorder) -> None:
    for line in told(recorder.rows, LINES_MAX):
        print(line)


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
        return OK
    print(f"failed    {scenario.id}: {result.failed}", file=sys.stderr)
    return VIOLATED


def run_and_trace(plan: Plan, trace: Path | None, *, watch: bool = False) -> Outcome:
    """Run `plan` with all judges; write its trace if it is wanted, and tell it if it is watched."""
    if trace is None and not watch:
        return run_plan(plan, judges(plan))
    recorders: list[traces.Recorder] = []
    outcome = run_plan(
        plan, judges(plan), prepare=lambda world: recorders.append(traces.Recorder(world))
    )
    if watch:
        _tell(recorders[0])
    if trace is not None:
        what = on_engine(SWARM, plan.world.consensus)
        _write_trace(trace, what, plan.seed, recorders[0])
    return outcome


def _write_trace(trace: Path, what: str, seed: int, recorder: traces.Recorder) -> None:
    with written(trace) as file:
        file.writelines(traces.write(traces.Header(what, seed, code_hash()), recorder.rows))


def write_views(outcome: Outcome, report: Path | None, history: Path | None) -> None:
    """Write the clients' view of a run where it is wanted: a page, a file of operations."""
    if report is None and history is None:
        return
    seen = history_of(outcome.clients.tickets)
    if history is not None:
        with written(history) as file:
            file.writelines(line.encode() for line in seen.lines())
    if report is not None:
        verdict = judge(seen)
        refutation = refute(seen, verdict) if verdict.word == "not linearizable" else None
        bands = [
            Band(str(fault.kind), fault.at_us, fault.at_us + fault.lasts_us, _labels(fault.nodes))
            for fault in outcome.plan.faults
        ]
        title = f"seed {outcome.plan.seed}"
        with written(report) as file:
            file.write(page(seen, verdict, refutation, bands=bands, title=title).encode())
        print(f"{report} shows it in a browser", file=sys.stderr)


def show_outcome(outcome: Outcome, *, quiet: bool = False, bug: str = "") -> int:
    """Print what became of a run of the swarm, with that bug planted."""
    violation = outcome.violation
    if not quiet or violation is not None:
        print(
            f"{outcome.events} events in {outcome.simulated_us / 1e6:.2f} simulated seconds, "
            f"{outcome.done} of {outcome.requests} requests answered, hash {outcome.hash}"
        )
    if violation is None:
        if not quiet:
            print("clean: every invariant held, every answer was right")
        return OK
    sys.stdout.flush()
    print(f"violated  {violation.invariant}", file=sys.stderr)
    print(f"          {violation.sentence}", file=sys.stderr)
    if bug:
        engine = outcome.plan.world.consensus
        print(_again(engine, outcome.plan.seed, bug), file=sys.stderr)
        return VIOLATED
    line = line_of(outcome.plan, code_hash())
    print(f"again     pnyx lab replay {line}", file=sys.stderr)
    if outcome.plan.kept is None:
        print(f"smaller   pnyx lab shrink {line}", file=sys.stderr)
    return VIOLATED


def _again(what: str, seed: int, bug: str) -> str:
    return f"again     pnyx lab run {what} --seed {seed} --break {bug}"


def show_result(result: Result, *, quiet: bool = False, bug: str = "") -> int:
    """Print what became of a scenario, with that bug planted."""
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
        for line in result.story:
            print(f"  {line}")
    if result.ok:
        if not quiet:
            print("  passed")
        return OK
    sys.stdout.flush()
    why = result.failed
    if result.violation is not None:
        why = f"{result.violation.invariant}: {result.violation.sentence}"
    print(f"failed    {scenario.id}: {why}", file=sys.stderr)
    again = f"again     pnyx lab replay {Line(scenario.id, result.seed, code_hash())}"
    print(_again(scenario.id, result.seed, bug) if bug else again, file=sys.stderr)
    return VIOLATED


def _labels(numbers: Sequence[int]) -> tuple[str, ...]:
    return tuple(f"n{number}" for number in numbers)
