"""N-T7: the unreliable network really is, and not altogether."""

from pnyx.lab.network import MIT_UNRELIABLE
from pnyx.lab.scenario import Script, Until, scenario
from pnyx.lab.scenarios.calls import FUNCTIONS, Calls, Ring
from pnyx.lab.stage import WorldStage

COUNT = 300


@scenario(
    "N-T7",
    about="of 300 calls over unreliable links some fail and some succeed, the server saw more",
    source="MIT 6.5840, labrpc TestUnreliable",
    nodes=0,
    profile=MIT_UNRELIABLE,
)
def unreliable(stage: WorldStage) -> Script:
    """Make 300 calls at once, each from an end of its own."""
    stage.reliable(reliable=False)
    calls = Calls(stage)
    echo = calls.serve(1, FUNCTIONS)
    rings: list[Ring] = [calls.end(1).call("text", number) for number in range(COUNT)]
    ended = yield Until(lambda: all(ring.is_over for ring in rings), 20_000_000)
    stage.check(ended, "a call neither succeeded nor failed")
    good = [number for number, ring in enumerate(rings) if ring.result is not None]
    for number in good:
        stage.check(rings[number].result == f"handler2-{number}", f"call {number} got another's")
    stage.budget("calls that succeeded", len(good), COUNT - 1, 1)
    # Some requests were lost, and some that were executed were not answered.
    stage.budget("calls received", echo.received, COUNT - 1, len(good) + 1)
