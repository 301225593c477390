"""B-8: a late read reaches the old primary, and the new one has died."""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.deposed import KEY, deposed_primary, stale_read
from pnyx.lab.scenarios.understudies import Client, backup_scenario, settled

LATE_US: Final = 5_000_000


@backup_scenario(
    "B-8", "TestPartition2", about="who cannot ask the new primary answers no read", servers=3
)
def partition_2(stage: LessonStage) -> Script:
    """A third server has the state and takes over."""
    old, new = yield from deposed_primary(stage)
    yield from settled(stage)
    stage.crash(new)
    value = yield from stale_read(stage, old, LATE_US)
    stage.check(value is None, f"the old primary answers {value!r}; the value is b'111'")
    found = yield from Client(stage).get(KEY)
    stage.check(found == b"111", f"the third server says {found!r}")
