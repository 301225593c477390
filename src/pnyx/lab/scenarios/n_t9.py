"""N-T9: calls that hang because their end is cut do not delay a call made after it was mended."""

from pnyx.lab.scenario import Script, Sleep, Until, scenario
from pnyx.lab.scenarios.calls import FUNCTIONS, LONG_LATE_US_MAX, Calls
from pnyx.lab.stage import WorldStage

COUNT = 20


@scenario(
    "N-T9",
    about="calls that hang over a cut end do not delay a later one, and are never delivered",
    source="MIT 6.5840, labrpc TestRegression1",
    nodes=0,
)
def regression(stage: WorldStage) -> Script:
    """Let 20 calls hang, mend the end, call once more."""
    calls = Calls(stage, long_delays=True)
    echo = calls.serve(1, FUNCTIONS)
    end = calls.end(1)
    end.enable(enabled=False)
    rings = [end.call("text", number) for number in range(COUNT)]
    yield Sleep(100_000)
    stage.check(not all(ring.is_over for ring in rings), "no call hangs: nothing is tested")
    end.enable(enabled=True)
    last = end.call("number", "99")
    yield last.over(1_000_000)
    stage.check(last.result == 99, f"the call after mending was told {last.result!r}")
    stage.budget("ms for a call after mending", (last.ended_us - last.began_us) / 1e3, 30)
    yield Until(lambda: all(ring.is_over for ring in rings), LONG_LATE_US_MAX)
    stage.check(all(ring.is_over and ring.result is None for ring in rings), "a cut call succeeded")
    stage.budget("calls received", echo.received, 1, 1)
