"""R-C4: leaders that crash at once, a thousand times: Figure 8 of the paper."""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import agree, everybody, numbered, same_everywhere
from pnyx.lab.stage import WorldStage

ITERATIONS: Final = 1_000


@scenario(
    "R-C4",
    about="entries of older terms are never committed by counting, whoever crashes when",
    source="MIT 6.5840 lab 3C, TestFigure8; Raft §5.4.2, Figure 8",
    nodes=5,
)
def figure_8(stage: WorldStage) -> Script:
    """Propose at every node, wait a little, crash whoever claimed to lead."""
    values = numbered()
    yield from agree(stage, next(values), expected=1)
    for _ in range(ITERATIONS):
        claimed = [node for node in everybody(stage) if stage.propose(node, next(values))]
        if stage.below(1_000, "pause") < 100:
            yield Sleep(1_000 * stage.below(500, "long pause"))
        else:
            yield Sleep(1_000 * stage.below(13, "short pause"))
        for node in claimed[-1:]:
            stage.crash(node)
        if sum(map(stage.running, everybody(stage))) < 3:
            stage.restart(1 + stage.below(stage.nodes, "who"))
    for node in everybody(stage):
        stage.restart(node)
    value = next(values)
    yield from agree(stage, value, expected=5)
    same_everywhere(stage, value)
