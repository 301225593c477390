"""Several operators at once, each with groups of its own (C-4, C-8, C-11, C-X2)."""

from collections.abc import Generator, Sequence
from typing import Any

from pnyx.lab.scenario import Script, Step
from pnyx.lab.scenarios.operators import Operator, all_over, check, settled
from pnyx.lab.stage import WorldStage

FIRST = 100
APART = 1_000


def crowd(
    stage: WorldStage,
    operator: Operator,
    count: int,
    *,
    together: bool = False,
    lossy: bool = False,
    among: tuple[int, ...] = (),
) -> Generator[Step, Any, None]:
    """Let `count` operators change configurations side by side; look at what is left.

    Each lets two groups join and one leave, or `together` three and then two.
    """
    ended = [False] * count

    def change(number: int) -> Script:
        own = Operator(stage, f"operator {number}", lossy, among)
        group = FIRST + number
        others = [group + APART, group + 2 * APART] if together else [group + APART]
        if together:
            yield from own.join(group, *others)
        else:
            yield from own.join(*others)
            yield from own.join(group)
        yield from own.leave(*others)
        ended[number] = True

    before = yield from operator.query()
    for number in range(count):
        stage.spawn(change(number))
    yield all_over(ended)
    stage.check(all(ended), f"{ended.count(False)} of {count} operators still wait")
    newest = yield from operator.query()
    check(stage, newest, groups_left(count))
    used = newest.number - before.number
    calls = count * (2 if together else 3)
    stage.budget("configurations", used, calls, calls)
    yield from settled(operator)


def groups_left(count: int) -> Sequence[int]:
    """Return which groups a crowd leaves."""
    return [FIRST + number for number in range(count)]
