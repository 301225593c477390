"""R-B6: no agreement with three of five away, and agreement when they are back."""

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import agree, beyond, one_leader, same_everywhere
from pnyx.lab.stage import WorldStage


@scenario(
    "R-B6",
    about="two of five commit nothing, and the five agree again when the others are back",
    source="MIT 6.5840 lab 3B, TestFailNoAgree",
    nodes=5,
)
def fail_no_agree(stage: WorldStage) -> Script:
    """Propose at a leader with one follower; bring the other three back."""
    yield from agree(stage, b"10", expected=5)
    leader = yield from one_leader(stage)
    away = [beyond(stage, leader, steps) for steps in (1, 2, 3)]
    for node in away:
        stage.isolate(node)
    number = stage.propose(leader, b"20")
    stage.check(number == 2, f"the second command became number {number}")
    yield Sleep(2 * stage.election_us)
    stage.check(stage.committed(2) == 0, "a command was committed by a minority")
    for node in away:
        stage.rejoin(node)
    leader = yield from one_leader(stage)
    number = stage.propose(leader, b"30")
    stage.check(2 <= number <= 3, f"the new leader gave the number {number}")
    yield from agree(stage, b"1000", expected=5)
    same_everywhere(stage, b"1000")
