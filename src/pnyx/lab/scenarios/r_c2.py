"""R-C2: five rounds in which two other majorities take turns, each from disk."""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import agree, beyond, numbered, one_leader, same_everywhere
from pnyx.lab.stage import WorldStage

ROUNDS: Final = 5


@scenario(
    "R-C2",
    about="majorities that overlap in one node carry everything over, through power losses",
    source="MIT 6.5840 lab 3C, TestPersist2",
    nodes=5,
)
def persist_more(stage: WorldStage) -> Script:
    """Crash two, agree, crash the other three, restart the two and one of the three."""
    values = numbered(11)
    written: list[bytes] = []
    last = 0
    for _ in range(ROUNDS):
        written.append(next(values))
        yield from agree(stage, written[-1], expected=5)
        leader = yield from one_leader(stage)
        node = [beyond(stage, leader, steps) for steps in range(5)]
        stage.crash(node[1])
        stage.crash(node[2])
        written.append(next(values))
        yield from agree(stage, written[-1], expected=3)
        for place in (0, 3, 4):
            stage.crash(node[place])
        stage.restart(node[1])
        stage.restart(node[2])
        yield Sleep(stage.election_us)
        stage.restart(node[3])
        written.append(next(values))
        yield from agree(stage, written[-1], expected=3)
        stage.restart(node[4])
        stage.restart(node[0])
    written.append(b"1000")
    last = yield from agree(stage, b"1000", expected=5)
    agreed = list(dict.fromkeys(stage.value(number) for number in range(1, last + 1)))
    stage.check(agreed == written, f"agreed were {written}, the log says {agreed}")
    same_everywhere(stage, b"1000")
