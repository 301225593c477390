"""N-T4: 17 calls are counted as 17."""

from pnyx.lab.scenario import Script, scenario
from pnyx.lab.scenarios.calls import FUNCTIONS, Calls
from pnyx.lab.stage import WorldStage

COUNT = 17


@scenario(
    "N-T4",
    about="the calls that a server gets are counted exactly",
    source="MIT 6.5840, labrpc TestCounts",
    nodes=0,
)
def counts(stage: WorldStage) -> Script:
    """Call 17 times, one after the other."""
    calls = Calls(stage)
    echo = calls.serve(1, FUNCTIONS)
    end = calls.end(1)
    for sent in range(COUNT):
        ring = end.call("text", sent)
        yield ring.over(1_000_000)
        stage.check(ring.result == f"handler2-{sent}", f"call {sent} was told {ring.result!r}")
    stage.budget("calls received", echo.received, COUNT, COUNT)
    stage.budget("calls made", calls.count, COUNT, COUNT)
