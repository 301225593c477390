"""What the scenarios of full disks share."""

from dataclasses import replace
from typing import Final

from pnyx.lab import disk
from pnyx.lab.stage import WorldStage
from pnyx.storage.watch import SPACE_CHECK_MS

CAPACITY_BYTES: Final = disk.CAPACITY_BYTES
NOTICE_US: Final = SPACE_CHECK_MS * 1_000
"""A node looks so often."""
_LOW_SEGMENTS: Final = 3
"""Left of a reserve of four."""


def keep_reserve(stage: WorldStage) -> None:
    """Let every log keep the reserve that nodes keep by default: room for four segments."""
    for process in stage.world.processes.values():
        process.disk.segments = replace(process.disk.segments, reserve_bytes=None)


def fill(stage: WorldStage, node: int, *, wholly: bool = False) -> None:
    """Leave `node` less than its reserve, or `wholly` no room at all."""
    process = stage.process(node)
    files = process.disk.files
    left = 0 if wholly else _LOW_SEGMENTS * process.disk.segments.segment_bytes
    files.capacity_bytes -= files.free_bytes() - left
