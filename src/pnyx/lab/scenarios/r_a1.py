"""R-A1: a first leader is elected, and nobody else ever, as long as nothing fails."""

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import ELECTED_US, everybody, one_leader
from pnyx.lab.stage import WorldStage


@scenario(
    "R-A1",
    about="a first leader is elected, and its term lasts as long as nothing fails",
    source="MIT 6.5840 lab 3A, TestInitialElection (which only warns of a new term)",
    nodes=3,
)
def initial_election(stage: WorldStage) -> Script:
    """Elect, and look at the terms twice."""
    leader = yield from one_leader(stage)
    stage.budget("us until a leader", stage.now_us, ELECTED_US)
    yield Sleep(50_000)
    terms = [stage.term(node) for node in everybody(stage)]
    stage.check(len(set(terms)) == 1 and terms[0] >= 1, f"the terms differ: {terms}")
    yield Sleep(2 * stage.election_us)
    later = [stage.term(node) for node in everybody(stage)]
    stage.check(later == terms, f"the term went from {terms} to {later} without a failure")
    stage.check(stage.leaders() == [leader], f"{leader} led, now {stage.leaders()} do")
