"""N-T11: 100,000 calls, one after the other; what one costs is for whoever has a clock."""

from pnyx.lab.scenario import Script, Until, scenario
from pnyx.lab.scenarios.calls import FUNCTIONS, Calls, End, Ring
from pnyx.lab.stage import WorldStage

COUNT = 100_000


@scenario(
    "N-T11",
    about="100,000 calls one after the other are all answered",
    source="MIT 6.5840, labrpc TestBenchmark (22 us a call in 2016)",
    nodes=0,
)
def benchmark(stage: WorldStage) -> Script:
    """Call, and call again when the answer is there."""
    calls = Calls(stage)
    echo = calls.serve(1, FUNCTIONS)
    answered = [0]

    def again(ring: Ring, end: End) -> None:
        stage.check(ring.result == "handler2-111", f"call {answered[0]}: {ring.result!r}")
        answered[0] += 1
        if answered[0] < COUNT:
            end.call("text", 111, lambda ring: again(ring, end))

    end = calls.end(1)
    end.call("text", 111, lambda ring: again(ring, end))
    yield Until(lambda: answered[0] == COUNT, 110_000_000)
    stage.budget("calls answered", answered[0], COUNT, COUNT)
    stage.budget("calls received", echo.received, COUNT, COUNT)
