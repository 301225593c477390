"""K-18: a single client that waits for each write gets 30 a second at least, A and B."""

from dataclasses import replace
from typing import Final

from pnyx.lab.scenario import Scenario, Script, add
from pnyx.lab.scenarios.sequence import beside, speed
from pnyx.lab.stage import WorldStage

COUNT: Final = 1_000
MS_MAX: Final = 33.3
"""Three operations per heartbeat of 100 ms."""


def both(stage: WorldStage) -> Script:
    """Write without snapshots, then with."""
    yield from speed(stage, COUNT, MS_MAX)
    beside(stage, WITH_SNAPSHOTS)


WITHOUT_SNAPSHOTS: Final = add(
    Scenario(
        "K-18",
        "1,000 writes one after the other take 33.3 ms each at most: none waits for a heartbeat",
        "MIT 6.5840 lab 4 (kvraft), TestSpeed4A, TestSpeed4B",
        3,
        both,
    )
)
WITH_SNAPSHOTS: Final = replace(
    WITHOUT_SNAPSHOTS,
    id="K-18 with snapshots",
    script=speed,
    compact_bytes=1_000,
    options={"count": COUNT, "ms_max": MS_MAX},
)
