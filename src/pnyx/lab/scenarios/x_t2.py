"""X-T2: a follower stands still between the leader's word for its read and the answer.

What the follower applied before the pause is old when it goes on. Reads that were asked before may
still be answered with it; those that were asked meanwhile may not. Nobody else notices the pause.
"""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import beyond
from pnyx.lab.scenarios.load import began, converge, over, top_term
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import Get
from pnyx.replica.requests import Done

ROUNDS: Final = 4
KEY: Final = b"paused"
RETURN_US: Final = 400
PAUSE_US_MAX: Final = 1_000_000
GAP_US: Final = 100_000


@scenario(
    "X-T2",
    about="a paused follower delays no write, begins no term and reads nothing old when it goes on",
    source="dissertation §6.4; bugs D2, D8",
    nodes=3,
)
def paused_follower(stage: WorldStage) -> Script:
    """Read at a follower, pause it, write at the leader, read there again, let it go on."""
    load, leader = yield from began(stage)
    term, since_us = top_term(stage), stage.now_us
    load.aim((leader,))
    load.pulse((leader,))
    for number in range(ROUNDS):
        follower = beyond(stage, leader, 1 + number % 2)
        yield over(load.write(leader, KEY))
        early = load.ask(follower, Get(KEY))
        yield Sleep(stage.below(RETURN_US, "pause"))
        stage.pause(follower)
        written = load.write(leader, KEY)
        yield over(written)
        stage.check(isinstance(written.answer, Done), "two of three do not serve")
        late = load.ask(follower, Get(KEY))
        yield Sleep(stage.below(PAUSE_US_MAX, "how long"))
        stage.resume(follower)
        yield over(early, late)
        value = written.commands[0].value  # type: ignore[union-attr]
        stage.check(late.answer == Done((value,)), f"{value!r} was written, then {late.answer}")
    stage.budget("terms", top_term(stage) - term, 0)
    stage.budget("us without an acknowledged write", load.longest_gap_us(since_us), GAP_US)
    yield from converge(load)
