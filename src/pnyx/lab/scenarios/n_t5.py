"""N-T5: bytes are counted, requests and replies."""

from pnyx.lab.scenario import Script, scenario
from pnyx.lab.scenarios.calls import Calls
from pnyx.lab.stage import WorldStage

COUNT = 17
REQUEST = "x" * 284
REPLY = "y" * 107


@scenario(
    "N-T5",
    about="bytes of requests and replies are counted, with little on top",
    source="MIT 6.5840, labrpc TestBytes",
    nodes=0,
)
def byte_counts(stage: WorldStage) -> Script:
    """Send 17 long requests, then get 17 long replies."""
    calls = Calls(stage)
    calls.serve(1, {"measure": len, "speak": lambda _: REPLY})
    end = calls.end(1)
    for _ in range(COUNT):
        ring = end.call("measure", REQUEST)
        yield ring.over(1_000_000)
        stage.check(ring.result == len(REQUEST), f"{ring.result!r} bytes arrived")
    before = calls.bytes_of(end)
    stage.budget("bytes of requests", before, 6000, 4828)
    for _ in range(COUNT):
        ring = end.call("speak", 0)
        yield ring.over(1_000_000)
        stage.check(ring.result == REPLY, "the reply was another one")
    stage.budget("bytes of replies", calls.bytes_of(end) - before, 2500, 1800)
