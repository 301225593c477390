"""R-B1: three commands, one after the other, get the numbers 1, 2 and 3 on every node."""

from pnyx.lab.scenario import Script, scenario
from pnyx.lab.scenarios.agreement import agree
from pnyx.lab.stage import WorldStage


@scenario(
    "R-B1",
    about="commands get consecutive numbers, and none is committed before it was proposed",
    source="MIT 6.5840 lab 3B, TestBasicAgree",
    nodes=3,
)
def basic_agree(stage: WorldStage) -> Script:
    """Propose three commands; each lands at its number on all three nodes."""
    for number in (1, 2, 3):
        stage.check(stage.committed(number) == 0, f"command {number} was committed unasked")
        got = yield from agree(stage, b"%d00" % number, expected=3)
        stage.check(got == number, f"command {number} became number {got}")
