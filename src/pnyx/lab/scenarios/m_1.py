"""M-1: ten increments, one after the other, are answered 1 to 10 and reach every replica."""

from pnyx.lab.scenario import Script, Stage, scenario
from pnyx.lab.scenarios.counter import Tally, one_inc, replicas_show


@scenario(
    "M-1",
    about="increments are answered with the state that they made, and every replica has it",
    source="MIT 6.5840 lab 4A, TestBasic4A",
    nodes=3,
    real=True,
)
def basic(stage: Stage) -> Script:
    """Add one, ten times."""
    tally = Tally()
    for number in range(1, 11):
        after = yield from one_inc(stage, tally)
        stage.check(after == number, f"increment {number} was answered {after}")
        yield from replicas_show(stage, tally)
