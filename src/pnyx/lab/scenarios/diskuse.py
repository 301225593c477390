"""What clients of D-8 and D-9 do, and what the disks may hold then, also after a restart."""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.servants import Clerk

KEY: Final = b"k"
VALUE_BYTES: Final = 1_000
LATER_US: Final = 2_100_000


def disk_bytes(stage: LessonStage) -> int:
    """Return the bytes of all files of all hosts, the ones that are down included."""
    return sum(host.rows.bytes for host in stage.world.hosts.values())


def small_after_restart(stage: LessonStage, allowed: int) -> Script:
    """Look at the files now, when all are killed, and when all have started again."""
    yield Sleep(LATER_US)
    stage.budget("bytes of disk", disk_bytes(stage), allowed)
    clerk = Clerk(stage)
    before = yield from clerk.get(KEY)
    stage.crash(*stage.numbers)
    stage.budget("bytes of disk, all killed", disk_bytes(stage), allowed)
    stage.restart(*stage.numbers)
    value = yield from clerk.get(KEY)
    stage.check(value == before, "the value is another after a restart")
    yield Sleep(LATER_US)
    stage.budget("bytes of disk, restarted", disk_bytes(stage), allowed)
