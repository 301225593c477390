"""R-B9: leaders with fifty uncommittable commands each are brought back quickly."""

from collections.abc import Generator, Iterator, Sequence
from typing import Any, Final

from pnyx.lab.scenario import Script, Sleep, Step, scenario
from pnyx.lab.scenarios.agreement import (
    agree,
    beyond,
    everybody,
    numbered,
    one_leader,
    same_everywhere,
)
from pnyx.lab.stage import WorldStage

COUNT: Final = 50
REFUSALS_MAX: Final = 6
"""One for each node that comes back with another log and each term in which it differs: two nodes,
then three, and one to spare. The original only bounds the time."""


@scenario(
    "R-B9",
    about="followers with many conflicting entries are brought back a term at a time",
    source="MIT 6.5840 lab 3B, TestBackup",
    nodes=5,
)
def backup(stage: WorldStage) -> Script:
    """Make two groups of uncommittable commands, with fifty committed ones around them."""
    values = numbered()
    yield from agree(stage, next(values), expected=5)
    first = yield from one_leader(stage)
    pair = [beyond(stage, first, steps) for steps in (0, 1)]
    three = [beyond(stage, first, steps) for steps in (2, 3, 4)]

    yield from _propose_in_vain(stage, first, three, values)
    _connect(stage, three)
    for _ in range(COUNT):
        yield from agree(stage, next(values), expected=3)

    second = yield from one_leader(stage)
    other = three[0] if second != three[0] else three[1]
    yield from _propose_in_vain(stage, second, (other,), values)
    _connect(stage, (*pair, other))
    for _ in range(COUNT):
        yield from agree(stage, next(values), expected=3)

    _connect(stage, everybody(stage))
    value = next(values)
    number = yield from agree(stage, value, expected=5)
    stage.check(number >= 2 * COUNT + 2, f"only {number} commands were committed")
    same_everywhere(stage, value)
    stage.budget(
        "refused appends", stage.sent("AppendEntriesRefusal") + stage.sent("Wanted"), REFUSALS_MAX
    )
    stage.budget("requests", stage.requests(), 2_664)
    stage.budget("bytes between nodes", stage.sent_bytes(), 2_040_000)


def _propose_in_vain(
    stage: WorldStage, leader: int, away: Sequence[int], values: Iterator[bytes]
) -> Generator[Step, Any, None]:
    """Isolate `away`, which leaves no quorum, and propose fifty commands."""
    for node in away:
        stage.isolate(node)
    for _ in range(COUNT):
        stage.propose(leader, next(values))
    yield Sleep(stage.election_us // 2)


def _connect(stage: WorldStage, nodes: Sequence[int]) -> None:
    """Connect these nodes, and isolate all others."""
    for node in everybody(stage):
        stage.isolate(node)
    for node in nodes:
        stage.rejoin(node)
