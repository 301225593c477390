"""X-D6: something else takes all the room on the leader's disk at once: not even a segment is left.

A node that finds it out in time hands over as in X-D4; one that has to write before stops.
"""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import everybody
from pnyx.lab.scenarios.connectivity import ELECTIONS_MAX, WAIT_US
from pnyx.lab.scenarios.fulldisk import CAPACITY_BYTES, NOTICE_US, fill
from pnyx.lab.scenarios.load import began, converge, served
from pnyx.lab.stage import WorldStage

LASTS_US: Final = 3_000_000


@scenario(
    "X-D6",
    about="a disk without any room stops its node at most, not the group, and loses nothing",
    source="storage/wal.py; a full disk of one node must not stop a group",
    nodes=3,
)
def no_room_at_all(stage: WorldStage) -> Script:
    """Take all room from the leader's disk; give it back and start whoever stopped."""
    load, leader = yield from began(stage)
    since_us = stage.now_us
    others = [node for node in everybody(stage) if node != leader]
    load.pulse(others)
    fill(stage, leader, wholly=True)
    yield Sleep(LASTS_US)
    stage.check(stage.leader() not in {None, leader}, f"n{stage.leader()} leads without room")
    allowed_us = NOTICE_US + ELECTIONS_MAX * stage.election_us
    gap_us = load.longest_gap_us(since_us)
    stage.budget("us without an acknowledged write", gap_us, allowed_us)
    stage.process(leader).disk.files.capacity_bytes = CAPACITY_BYTES
    stage.restart(leader)
    took_us = yield from served(load, (leader,), WAIT_US)
    stage.budget("us until it serves again", took_us, 2 * stage.election_us)
    yield from converge(load)
