"""N-T8: 20 calls on one end at the same time."""

from pnyx.lab.scenario import Script, Until, scenario
from pnyx.lab.scenarios.calls import FUNCTIONS, Calls
from pnyx.lab.stage import WorldStage

COUNT = 20


@scenario(
    "N-T8",
    about="concurrent calls on one end are all delivered, once",
    source="MIT 6.5840, labrpc TestConcurrentOne",
    nodes=0,
)
def concurrent_one(stage: WorldStage) -> Script:
    """Make 20 calls on one end, at once."""
    calls = Calls(stage)
    echo = calls.serve(1, FUNCTIONS)
    end = calls.end(1)
    rings = [end.call("text", number) for number in range(COUNT)]
    yield Until(lambda: all(ring.is_over for ring in rings), 2_000_000)
    for number, ring in enumerate(rings):
        stage.check(ring.result == f"handler2-{number}", f"call {number} was told {ring.result!r}")
    stage.budget("calls received", echo.received, COUNT, COUNT)
