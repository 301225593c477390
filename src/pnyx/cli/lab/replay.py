"""lab replay: the same run again, from the line that it printed."""

from pathlib import Path

from pnyx.cli.lab.run import play_and_trace, run_and_trace, show_outcome, show_result
from pnyx.cli.writing import refuse_unwritable
from pnyx.harness.codehash import code_hash
from pnyx.lab.catalogue import scenario_named
from pnyx.lab.replay import parse, plan_of
from pnyx.lab.variants import is_swarm


def replay(line: str, *, trace: Path | None = None) -> int:
    """Play a run again from the line it printed; exit status 6 if anything broke.

    Exit status 2 if the line belongs to other code.

    Args:
        line: what a failed run printed: WHAT/SEED/CODE, after shrinking with one part more.
        trace: write every event into this file, a JSON object a line; not of lessons.
    """
    parsed = parse(line, code_hash())
    refuse_unwritable(trace)
    if not is_swarm(parsed.what):
        return show_result(play_and_trace(scenario_named(parsed.what), parsed.seed, trace))
    plan = plan_of(parsed)
    print(plan)
    return show_outcome(run_and_trace(plan, trace))
