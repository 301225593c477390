"""N-T10: a call that hangs in a function fails when its server is deleted."""

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.calls import LOOK_US, Calls
from pnyx.lab.stage import WorldStage

TAKES_US = 20_000_000


@scenario(
    "N-T10",
    about="whoever waits for a server learns soon that it was deleted, and never its result",
    source="MIT 6.5840, labrpc TestKilled",
    nodes=0,
)
def killed(stage: WorldStage) -> Script:
    """Delete a server 1.1 s after it began to work for 20 s."""
    calls = Calls(stage)
    echo = calls.serve(1, {"slow": str}, slow=TAKES_US)
    ring = calls.end(1).call("slow", 99)
    yield Sleep(1_100_000)
    stage.check(not ring.is_over, "a call was over before its function was")
    stage.check(echo.received == 1, "the call did not reach the server")
    calls.delete(echo)
    yield ring.over(TAKES_US)
    stage.check(ring.is_over and ring.result is None, f"a deleted server said {ring.result!r}")
    stage.budget("ms to learn of it", (ring.ended_us - ring.began_us) / 1e3 - 1_100, LOOK_US / 1e3)
