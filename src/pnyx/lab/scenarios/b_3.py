"""B-3: a hundred appends over lossy links are there once each."""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.understudies import Client, are_equal, backup_scenario, settled

APPENDS: Final = 100


@backup_scenario(
    "B-3", "TestAtMostOnce", about="over lossy links each append is done once", unreliable=True
)
def at_most_once(stage: LessonStage) -> Script:
    """One client."""
    yield from settled(stage)
    client = Client(stage)
    wanted = b""
    for number in range(APPENDS):
        token = b"%d;" % number
        yield from client.ask("append", b"counter", token)
        wanted += token
    value = yield from client.get(b"counter")
    stage.check(value == wanted, f"got {value[-40:]!r}, not {wanted[-40:]!r}")
    yield from are_equal(stage)
