"""R-B10: an election, ten commands and an idle second take no more requests than they need."""

from collections.abc import Generator
from typing import Any, Final

from pnyx.consensus.engines import EngineName
from pnyx.lab.scenario import Failed, Script, Sleep, Step, Until, scenario
from pnyx.lab.scenarios.agreement import everybody, one_leader
from pnyx.lab.stage import WorldStage

ATTEMPTS: Final = 5
ATTEMPT_US: Final = 3_000_000
COUNT: Final = 10
LOOK_US: Final = 500_000
"""The original looks for a leader that long after the start."""


@scenario(
    "R-B10",
    about="an election, ten commands and an idle second cost few messages",
    source="MIT 6.5840 lab 3B, TestCount",
    nodes=3,
)
def count(stage: WorldStage) -> Script:
    """Count requests: of the election, of twelve commands, of an idle second."""
    # There all voters ask each other for signs of life, here only the leader asks.
    alive = 3 if stage.scenario.consensus is EngineName.MULTIPAXOS else 1
    yield from one_leader(stage)
    yield Sleep(max(0, LOOK_US - stage.now_us))
    stage.budget("requests to elect", stage.requests(), alive * 30, 1)
    for attempt in range(ATTEMPTS):
        if attempt:
            yield Sleep(ATTEMPT_US)
        used = yield from _propose(stage, attempt)
        if used is not None:
            break
    else:
        raise Failed(f"the term changed in each of {ATTEMPTS} attempts")
    stage.budget(f"requests for {COUNT} commands", used, (COUNT + 1 + 3) * 3)
    before = stage.requests()
    yield Sleep(1_000_000)
    stage.budget("requests in an idle second", stage.requests() - before, alive * 3 * 20)


def _propose(stage: WorldStage, attempt: int) -> Generator[Step, Any, int | None]:
    """Propose 1 + 11 commands, wait for 1 + 10; return the requests that took."""
    leader = yield from one_leader(stage)
    term = stage.term(leader)
    before = stage.requests()
    values = [b"%d/%d" % (attempt, place) for place in range(COUNT + 2)]
    numbers = [stage.propose(leader, value) for value in values]
    if 0 in numbers or stage.term(leader) != term:
        return None
    expected = list(range(numbers[0], numbers[0] + COUNT + 2))
    stage.check(numbers == expected, f"the numbers are not consecutive: {numbers}")
    last = numbers[COUNT]
    reached = yield Until(
        lambda: stage.committed(last) == stage.nodes or stage.term(leader) != term, ATTEMPT_US
    )
    if any(stage.term(node) != term for node in everybody(stage)):
        return None
    stage.check(reached, f"command {last} was not applied by all within 3 s")
    found = [stage.value(number) for number in numbers[: COUNT + 1]]
    stage.check(found == values[: COUNT + 1], f"proposed {values}, committed {found}")
    return stage.requests() - before
