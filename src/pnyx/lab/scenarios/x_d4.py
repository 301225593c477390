"""X-D4: the leader's disk is full: somebody else leads, and writes go on."""

from typing import Final

from pnyx.lab.scenario import Script, Until, scenario
from pnyx.lab.scenarios.agreement import everybody
from pnyx.lab.scenarios.connectivity import WAIT_US
from pnyx.lab.scenarios.fulldisk import CAPACITY_BYTES, NOTICE_US, fill, keep_reserve
from pnyx.lab.scenarios.load import began, converge, served, top_term
from pnyx.lab.stage import WorldStage

MOVED_US: Final = NOTICE_US + 1_000_000
TERMS_MAX: Final = 2
GAP_US: Final = 1_200_000


@scenario(
    "X-D4",
    about="a leader whose disk is full hands over to one that has room, and writes go on",
    source="replica/diskspace.py; a full disk of one node must not stop a group",
    nodes=3,
    prepare=keep_reserve,
)
def leaders_disk_full(stage: WorldStage) -> Script:
    """Fill the leader's disk; make room later."""
    load, leader = yield from began(stage)
    term, since_us = top_term(stage), stage.now_us
    load.pulse(everybody(stage))
    fill(stage, leader)
    yield Until(lambda: stage.leader() not in {None, leader}, WAIT_US)
    stage.budget("us until another node leads", stage.now_us - since_us, MOVED_US)
    others = [node for node in everybody(stage) if node != leader]
    yield from served(load, others, WAIT_US, each=True)
    stage.budget("us without an acknowledged write", load.longest_gap_us(since_us), GAP_US)
    stage.budget("terms", top_term(stage) - term, TERMS_MAX, 1)
    stage.check(stage.running(leader), f"n{leader} stopped: {stage.process(leader).why_failed}")
    stage.process(leader).disk.files.capacity_bytes = CAPACITY_BYTES
    yield from converge(load)
