"""B-7: a late read reaches the old primary, which hears its backup but not the view service."""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.deposed import deposed_primary, stale_read
from pnyx.lab.scenarios.understudies import backup_scenario

LATE_US: Final = 4_000_000


@backup_scenario("B-7", "TestPartition1", about="a replaced primary answers no read", servers=2)
def partition_1(stage: LessonStage) -> Script:
    """The value was rewritten meanwhile."""
    old, _ = yield from deposed_primary(stage)
    value = yield from stale_read(stage, old, LATE_US)
    stage.check(value is None, f"the old primary answers {value!r}; the value is b'111'")
