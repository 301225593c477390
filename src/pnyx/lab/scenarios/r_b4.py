"""R-B4: agreement goes on without the leader, and stops without the second one."""

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import agree, everybody, one_leader
from pnyx.lab.stage import WorldStage


@scenario(
    "R-B4",
    about="agreement goes on without one leader, and stops without two",
    source="MIT 6.5840 lab 3B, TestLeaderFailure",
    nodes=3,
)
def leader_failure(stage: WorldStage) -> Script:
    """Isolate the leader, then the next one."""
    yield from agree(stage, b"101", expected=3)
    stage.isolate((yield from one_leader(stage)))
    yield from agree(stage, b"102", expected=2)
    yield Sleep(stage.election_us)
    got = yield from agree(stage, b"103", expected=2)
    stage.check(got == 3, f"the third command became number {got}")

    stage.isolate((yield from one_leader(stage)))
    for node in everybody(stage):
        stage.propose(node, b"104")
    yield Sleep(2 * stage.election_us)
    stage.check(stage.committed(4) == 0, "a command was committed by a minority")
