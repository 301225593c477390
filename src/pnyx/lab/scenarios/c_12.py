"""C-12: a node that hears nothing does not answer with an old configuration."""

from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.operators import Operator, controller_scenario, founded
from pnyx.lab.stage import WorldStage
from pnyx.machine.configuration import decode_configuration
from pnyx.machine.directives import Query
from pnyx.replica.requests import Done

DEAF = 1
OTHERS = (2, 3)
PATIENCE_US = 3_000_000
ANSWER_US = 2_000_000
"""Within this a node that hears again has the newest."""


@controller_scenario(
    "C-12",
    about="a query right after a join gives that join, or nothing, at a node that is cut off",
    source="MIT 6.824 lab 4A, TestFreshQuery (2015)",
)
def fresh(stage: WorldStage) -> Script:
    """Make node 1 deaf, join elsewhere, and ask node 1; at last let it hear again."""
    _, carrier = yield from founded(stage)
    yield Sleep(100_000)
    carrier.stopped = True
    elsewhere = Operator(stage, "elsewhere", among=OTHERS)
    for other in OTHERS:
        stage.cut(other, DEAF)
    newest = yield from elsewhere.join(1001)
    began_us, asked = stage.now_us, 0
    while stage.now_us - began_us < PATIENCE_US:
        call = stage.call(DEAF, Query())
        yield Sleep(100_000)
        asked += 1
        if isinstance(call.answer, Done):
            told = call.answer.results[0]
            stale = not isinstance(told, bytes) or decode_configuration(told) != newest
            stage.check(not stale, f"node {DEAF} answered {told!r}, the newest is {newest}")
    stage.budget("queries at the deaf node", asked, 30, 20)
    for other in OTHERS:
        stage.mend(other, DEAF)
    began_us = stage.now_us
    told_again = yield from Operator(stage, "at the deaf node", among=(DEAF,)).query()
    stage.check(told_again == newest, f"node {DEAF} says {told_again}, the newest is {newest}")
    stage.budget("us until it answers again", stage.now_us - began_us, ANSWER_US)
