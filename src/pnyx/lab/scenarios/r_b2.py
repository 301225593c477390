"""R-B2: ten commands of 5,000 bytes cost no more than three times their size on the wire."""

from typing import Final

from pnyx.lab.scenario import Script, scenario
from pnyx.lab.scenarios.agreement import agree
from pnyx.lab.stage import WorldStage

COUNT: Final = 10
BYTES: Final = 5_000


@scenario(
    "R-B2",
    about="each entry goes to each peer once",
    source="MIT 6.5840 lab 3B, TestRPCBytes",
    nodes=3,
)
def rpc_bytes(stage: WorldStage) -> Script:
    """Agree on a small command, then on ten large ones, and count the bytes of those."""
    first = yield from agree(stage, b"99", expected=3)
    before = stage.sent_bytes()
    for number in range(first + 1, first + 1 + COUNT):
        value = b"%d" % number * BYTES
        got = yield from agree(stage, value[:BYTES], expected=3)
        stage.check(got == number, f"command {number} became number {got}")
    allowed = 3 * COUNT * BYTES + 50_000
    stage.budget("bytes between nodes", stage.sent_bytes() - before, allowed, COUNT * BYTES)
