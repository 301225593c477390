"""X-T1: the leader stands still between a read and its answer; another is elected and writes.

Reads reach the old leader before the pause, and while it stands still, after the write elsewhere.
When it goes on, answers of its followers from before the pause lie in its queue: they confirm the
early reads, which were asked before the write, and must never confirm the late ones.
"""

from collections.abc import Generator
from typing import Any, Final

from pnyx.lab.scenario import Script, Sleep, Step, Until, scenario
from pnyx.lab.scenarios.agreement import beyond, one_leader
from pnyx.lab.scenarios.connectivity import ELECTIONS_MAX, WAIT_US
from pnyx.lab.scenarios.load import Load, began, converge, over, served
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import Get
from pnyx.replica.requests import Done

ROUNDS: Final = 4
KEY: Final = b"paused"
RETURN_US: Final = 200
"""A round trip takes at least so long: a pause before that catches the read on its way."""
RESIGN_ELECTIONS: Final = 1


@scenario(
    "X-T1",
    about="a leader paused in the middle of reads answers none of them with what is outdated",
    source="dissertation §6.4; bugs D2, D5, D6",
    nodes=3,
)
def pause_in_reads(stage: WorldStage) -> Script:
    """Read, pause the leader, write at the next, read at the paused one, let it go on."""
    load, _ = yield from began(stage)
    caught = 0
    for _ in range(ROUNDS):
        caught += yield from _round(load)
    stage.budget("reads that the pause caught on their way", caught, ROUNDS, ROUNDS)
    yield from converge(load)


def _round(load: Load) -> Generator[Step, Any, int]:
    stage = load.stage
    leader = yield from one_leader(stage)
    other = beyond(stage, leader, 1)
    yield over(load.write(leader, KEY))
    early = [load.ask(leader, Get(KEY)), load.ask(other, Get(KEY))]
    yield Sleep(stage.below(RETURN_US, "pause"))
    stage.pause(leader)
    is_caught = early[0].is_open
    rest = (other, beyond(stage, leader, 2))
    took_us = yield from served(load, rest, WAIT_US)
    allowed_us = ELECTIONS_MAX * stage.election_us
    stage.budget("us until another node serves", took_us, allowed_us)
    written = load.write(other, KEY)
    yield over(written)
    stage.check(isinstance(written.answer, Done), "the new leader does not serve")
    late = [load.ask(leader, Get(KEY)) for _ in range(3)]
    yield Sleep(stage.below(stage.election_us, "late"))
    stage.resume(leader)
    term = stage.term(other)
    resigned = yield Until(lambda: stage.term(leader) >= term, RESIGN_ELECTIONS * stage.election_us)
    stage.check(resigned, f"n{leader} does not follow after it went on")
    yield over(*early, *late)
    told = [each.answer for each in late]
    value = written.commands[0].value  # type: ignore[union-attr]
    stage.check(told == [Done((value,))] * 3, f"{value!r} was acknowledged, then read: {told}")
    return int(is_caught)
