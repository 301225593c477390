"""N-T3: a cut end gets no reply; once mended it works."""

from pnyx.lab.scenario import Script, scenario
from pnyx.lab.scenarios.calls import FUNCTIONS, LATE_US_MAX, Calls
from pnyx.lab.stage import WorldStage


@scenario(
    "N-T3",
    about="a call over a cut end fails without reaching the server, one after mending succeeds",
    source="MIT 6.5840, labrpc TestDisconnect",
    nodes=0,
)
def disconnect(stage: WorldStage) -> Script:
    """Call while cut, then mended."""
    calls = Calls(stage)
    echo = calls.serve(1, FUNCTIONS)
    end = calls.end(1)
    end.enable(enabled=False)
    ring = end.call("text", 111)
    ended = yield ring.over(LATE_US_MAX + 1_000)
    stage.check(ended and ring.result is None, f"a cut end was told {ring.result!r}")
    stage.check(echo.received == 0, "a call over a cut end reached the server")
    end.enable(enabled=True)
    ring = end.call("number", "9099")
    yield ring.over(1_000_000)
    stage.check(ring.result == 9099, f"a mended end was told {ring.result!r}")
