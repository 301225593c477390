"""N-T1: two functions of one server, each with its own type of reply."""

from pnyx.lab.scenario import Script, scenario
from pnyx.lab.scenarios.calls import FUNCTIONS, Calls
from pnyx.lab.stage import WorldStage


@scenario(
    "N-T1",
    about="a call reaches the function it names and brings back a reply of its type",
    source="MIT 6.5840, labrpc TestBasic",
    nodes=0,
)
def basic(stage: WorldStage) -> Script:
    """Ask for a text, then for a number."""
    calls = Calls(stage)
    calls.serve(1, FUNCTIONS)
    end = calls.end(1)
    ring = end.call("text", 111)
    yield ring.over(1_000_000)
    stage.check(ring.result == "handler2-111", f"a text was wanted, {ring.result!r} came")
    ring = end.call("number", "9099")
    yield ring.over(1_000_000)
    stage.check(ring.result == 9099, f"a number was wanted, {ring.result!r} came")
