"""R-B7: five commands proposed at once are all committed, each once."""

from collections.abc import Generator
from typing import Any, Final

from pnyx.lab.scenario import Failed, Script, Sleep, Step, Until, scenario
from pnyx.lab.scenarios.agreement import everybody, one_leader
from pnyx.lab.stage import WorldStage

ATTEMPTS: Final = 5
ATTEMPT_US: Final = 3_000_000
VALUES: Final = tuple(b"%d" % (100 + number) for number in range(5))


@scenario(
    "R-B7",
    about="commands proposed at once in one term are all committed, each once",
    source="MIT 6.5840 lab 3B, TestConcurrentStarts",
    nodes=3,
)
def concurrent_starts(stage: WorldStage) -> Script:
    """Propose one command, then five beside each other; again if the term changed meanwhile."""
    for attempt in range(ATTEMPTS):
        if attempt:
            yield Sleep(ATTEMPT_US)
        numbers = yield from _propose_at_once(stage, b"first%d" % attempt, attempt)
        if numbers is None:
            continue
        found = [stage.value(number) for number in numbers]
        wanted = [b"%s/%d" % (value, attempt) for value in VALUES]
        stage.check(sorted(found, key=str) == wanted, f"proposed {wanted}, committed {found}")
        return
    raise Failed(f"the term changed in each of {ATTEMPTS} attempts")


def _propose_at_once(
    stage: WorldStage, first: bytes, attempt: int
) -> Generator[Step, Any, list[int] | None]:
    leader = yield from one_leader(stage)
    term = stage.term(leader)
    numbers: list[int] = []
    ended: list[int] = []

    def propose(value: bytes) -> Script:
        number = stage.propose(leader, value)
        if number and stage.term(leader) == term:
            numbers.append(number)
        ended.append(number)
        yield Sleep(0)

    def is_over() -> bool:
        return len(ended) == len(VALUES) and all(
            stage.committed(number) == stage.nodes for number in numbers
        )

    if not stage.propose(leader, first):
        return None
    for value in VALUES:
        stage.spawn(propose(b"%s/%d" % (value, attempt)))
    over = yield Until(is_over, ATTEMPT_US)
    same_term = all(stage.term(node) == term for node in everybody(stage))
    if not same_term or len(numbers) < len(VALUES):
        return None
    stage.check(over, f"of the commands {numbers} not all were committed within 3 s")
    return numbers
