"""R-B3: one follower away changes nothing, two stop agreement."""

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import agree, beyond, one_leader
from pnyx.lab.stage import WorldStage


@scenario(
    "R-B3",
    about="a follower away does not stop agreement, two do",
    source="MIT 6.5840 lab 3B, TestFollowerFailure",
    nodes=3,
)
def follower_failure(stage: WorldStage) -> Script:
    """Isolate the followers one by one."""
    yield from agree(stage, b"101", expected=3)
    leader = yield from one_leader(stage)
    stage.isolate(beyond(stage, leader, 1))
    yield from agree(stage, b"102", expected=2)
    yield Sleep(stage.election_us)
    got = yield from agree(stage, b"103", expected=2)
    stage.check(got == 3, f"the third command became number {got}")

    leader = yield from one_leader(stage)
    for steps in (1, 2):
        stage.isolate(beyond(stage, leader, steps))
    number = stage.propose(leader, b"104")
    stage.check(number == 4, f"the leader gave the fourth command the number {number}")
    yield Sleep(2 * stage.election_us)
    stage.check(stage.committed(4) == 0, "a command was committed by a minority")
