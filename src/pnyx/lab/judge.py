"""A run with everybody watching: the invariants and the witness. What campaigns and tests call."""

from pnyx.consensus.engines import EngineName
from pnyx.lab.conduct import Conduct
from pnyx.lab.configurations import Configurations
from pnyx.lab.eachgroup import EachGroup
from pnyx.lab.invariants.checker import Invariants
from pnyx.lab.invariants.invariant import Marks
from pnyx.lab.ledgers import Ledgers
from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.patience import Patience
from pnyx.lab.record import Record
from pnyx.lab.replay import Line, line_of
from pnyx.lab.run import Outcome, run
from pnyx.lab.scenario import Scenario
from pnyx.lab.stage import Result, play
from pnyx.lab.swarm import Plan
from pnyx.lab.variants import SWARM, on_engine
from pnyx.lab.watch import Watch
from pnyx.lab.witness import Witness

SCENARIO_FAILED = "scenario"
"""The name under which a scenario's own assertion is recorded."""


def judges(plan: Plan, marks: Marks | None = None) -> list[Watch]:
    """Return everybody who judges a run of the swarm, fresh; they count into `marks`."""
    marks = marks or Marks()
    everybody: list[Watch] = [Invariants(marks), Witness(marks), Patience()]
    if plan.world.consensus is EngineName.RAFT:
        everybody.append(Conduct())
    return everybody


def scenario_judges(scenario: Scenario, marks: Marks | None = None) -> list[Watch]:
    """Return who judges a scenario besides itself, fresh; they count into `marks`."""
    marks = marks or Marks()
    if scenario.layout is None:
        return [Invariants(marks)]
    return [
        EachGroup(lambda: Invariants(marks)),
        Ledgers(scenario.layout.shards, marks),
        Configurations(marks),
    ]


def watched(plan: Plan) -> Outcome:
    """Run `plan`, judged by all invariants and the witness."""
    return run(plan, judges(plan))


def judged(plan: Plan, code: str) -> Record:
    """Run `plan` and return what is kept of it; `code` is the hash of the code that runs."""
    marks = Marks()
    outcome = run(plan, judges(plan, marks))
    violation = outcome.violation
    return Record(
        on_engine(SWARM, plan.world.consensus),
        plan.seed,
        code,
        outcome.events,
        outcome.hash,
        outcome.simulated_us,
        outcome.requests,
        violation.invariant if violation else "",
        violation.sentence if violation else "",
        line_of(plan, code) if violation else "",
        marks=_counted(marks),
    )


def watched_scenario(scenario: Scenario, seed: int) -> Result:
    """Play `scenario`, judged by its own assertions and all invariants."""
    if scenario.lesson is not None:
        return LessonStage(scenario, seed).run()
    return play(scenario, seed, scenario_judges(scenario))


def played(scenario: Scenario, seed: int, code: str) -> Record:
    """Play `scenario` and return what is kept of it."""
    marks = Marks()
    if scenario.lesson is not None:
        result = LessonStage(scenario, seed).run()
    else:
        result = play(scenario, seed, scenario_judges(scenario, marks))
    violation = result.violation
    invariant, sentence = "", ""
    if violation is not None:
        invariant, sentence = violation.invariant, violation.sentence
    elif result.failed:
        invariant, sentence = SCENARIO_FAILED, result.failed
    return Record(
        scenario.id,
        seed,
        code,
        result.events,
        result.hash,
        result.simulated_us,
        0,
        invariant,
        sentence,
        str(Line(scenario.id, seed, code)) if invariant else "",
        tuple(str(budget) for budget in result.budgets),
        _counted(marks),
    )


def _counted(marks: Marks) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(marks.counts.items()))
