"""X-C9: one follower does not hear the leader, one way: it disturbs nobody, and reads nothing old.

What it writes and asks still reaches everybody. Its reads wait for a leader and are refused; an
answer would be of the time before the cut.
"""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import beyond
from pnyx.lab.scenarios.connectivity import mend_and_judge
from pnyx.lab.scenarios.load import Load, began, over, top_term
from pnyx.lab.stage import WorldStage
from pnyx.lab.workload import Ticket
from pnyx.machine.commands import Get
from pnyx.replica.requests import Done

LASTS_US: Final = 3_000_000
READ_US: Final = 100_000
GAP_US: Final = 100_000
KEY: Final = b"probe"


@scenario(
    "X-C9",
    about="a follower that does not hear its leader begins no term and answers no read",
    source="dissertation §9.6; bug C13",
    nodes=3,
)
def deaf_follower(stage: WorldStage) -> Script:
    """Cut what leads from the leader to one follower; write on, and read there."""
    load, leader = yield from began(stage)
    deaf = beyond(stage, leader, 1 + stage.below(2, "deaf"))
    hearing = (leader, 6 - leader - deaf)
    load.aim(hearing)
    load.pulse(hearing)
    yield over(load.write(leader, KEY))
    term, since_us = top_term(stage), stage.now_us
    stage.cut(leader, deaf)
    reads: list[Ticket] = []
    stage.spawn(_read(load, deaf, reads))
    yield Sleep(LASTS_US)
    stage.budget("terms meanwhile", top_term(stage) - term, 0)
    stage.check(stage.leaders() == [leader], f"{stage.leaders()} lead, not n{leader}")
    stage.budget("us without an acknowledged write", load.longest_gap_us(since_us), GAP_US)
    told = sum(isinstance(read.answer, Done) for read in reads)
    stage.check(told == 0, f"{told} reads were answered by a node that hears no leader")
    load.aim(sorted(stage.world.processes))
    yield from mend_and_judge(load)


def _read(load: Load, node: int, reads: list[Ticket]) -> Script:
    """Write, and read at `node` what is too new for it."""
    stage = load.stage
    until_us = stage.now_us + LASTS_US - READ_US
    while stage.now_us < until_us:
        yield over(load.write(stage.leader() or 1, KEY))
        reads.append(load.ask(node, Get(KEY)))
        yield Sleep(READ_US)
