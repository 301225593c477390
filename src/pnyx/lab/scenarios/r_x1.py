"""R-X1: a follower that lacks 995 of 1,000 entries has them after three appends."""

from collections.abc import Generator
from itertools import islice
from typing import Any, Final

from pnyx.lab.scenario import Script, Sleep, Step, Until, scenario
from pnyx.lab.scenarios.agreement import agree, numbered, one_leader, same_everywhere, settle
from pnyx.lab.scenarios.prepared import write_logs
from pnyx.lab.stage import WorldStage

HELD: Final = 1_000
FIRST: Final = 5
APPENDS_MAX: Final = 3
LAGGARD: Final = 3
TOGETHER: Final = 40
"""Commands that are proposed at once."""


def _prepare(stage: WorldStage) -> None:
    write_logs(stage, [[1] * HELD, [1] * HELD, [1] * FIRST])


@scenario(
    "R-X1",
    about="a follower with 5 of 1,000 entries is caught up after three appends",
    source="Raft §5.3, fast back-up",
    nodes=3,
    prepare=_prepare,
)
def far_behind(stage: WorldStage) -> Script:
    """Elect over prepared logs; then let the follower lose its power for 995 entries more."""
    yield from one_leader(stage)
    yield from caught_up(stage, LAGGARD)
    stage.check(stage.committed(HELD) == 3, "not all of the entries were applied everywhere")
    values = numbered(HELD)
    yield from agree(stage, next(values), expected=3)

    leader = yield from one_leader(stage)
    laggard = LAGGARD if leader != LAGGARD else 1
    stage.crash(laggard)
    term = stage.term(leader)
    missed = list(islice(values, HELD - FIRST))
    for start in range(0, len(missed), TOGETHER):
        numbers = [stage.propose(leader, value) for value in missed[start : start + TOGETHER]]
        yield from settle(stage, numbers[-1], 2)
    stage.check(stage.term(leader) == term, "the leader was to keep its term")
    before = appends_to(stage, laggard)
    stage.restart(laggard)
    yield from caught_up(stage, laggard, before)
    same_everywhere(stage, missed[-1])


def appends_to(stage: WorldStage, node: int) -> int:
    """Return how many append requests `node` was sent so far."""
    # Of either engine.
    return stage.sent_to(node, "AppendEntries") + stage.sent_to(node, "Accept")


def caught_up(stage: WorldStage, laggard: int, before: int = 0) -> Generator[Step, Any, None]:
    """Wait until the log of `laggard` is its leader's; count its appends since `before` of them."""

    def agrees() -> bool:
        leader = stage.leader()
        return leader is not None and stage.log_end(laggard) == stage.log_end(leader)

    agreed = yield Until(agrees, 5_000_000)
    stage.check(agreed, f"the log of {laggard} did not come to agree within 5 s")
    # Nothing more is on its way for what it lacked.
    yield Sleep(10_000)
    used = appends_to(stage, laggard) - before
    # In Multi-Paxos it may lead: promises brought it what it lacked.
    least = int(stage.leader() != laggard)
    stage.budget(f"appends to {laggard}", used, APPENDS_MAX, least)
