"""X-D5: the disks of a majority are full: writes are refused, reads go on, and writes come back."""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, Until, scenario
from pnyx.lab.scenarios.agreement import beyond, everybody
from pnyx.lab.scenarios.connectivity import WAIT_US
from pnyx.lab.scenarios.fulldisk import CAPACITY_BYTES, NOTICE_US, fill, keep_reserve
from pnyx.lab.scenarios.load import Load, began, converge, over, served
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import Get
from pnyx.replica.diskspace import REPORT_MS
from pnyx.replica.requests import Done, NotDone, Reason

REFUSED: Final = NotDone(Reason.LOW_SPACE)
SETTLE_US: Final = 2_000_000
BACK_US: Final = NOTICE_US + 3_000 * REPORT_MS + 200_000
"""Nodes look once a second, and a leader remembers a report for three."""
ROUNDS: Final = 5


@scenario(
    "X-D5",
    about="with the disks of a majority full writes are refused before they fail, reads go on, and "
    "writes come back with the room",
    source="replica/diskspace.py",
    nodes=3,
    prepare=keep_reserve,
)
def majority_full(stage: WorldStage) -> Script:
    """Fill two of three disks, read and write at all, make room."""
    load, leader = yield from began(stage)
    first = stage.below(3, "first")
    full = [beyond(stage, leader, first), beyond(stage, leader, first + 1)]
    for node in full:
        fill(stage, node)
    yield Until(lambda: _is_refused(load), SETTLE_US + NOTICE_US)
    yield Sleep(SETTLE_US)
    for _ in range(ROUNDS):
        for node in everybody(stage):
            write, read = load.write(node, b"full"), load.ask(node, Get(b"probe"))
            yield over(write, read)
            stage.check(write.answer == REFUSED, f"a write at n{node} was told {write.answer}")
            stage.check(isinstance(read.answer, Done), f"a read at n{node}: {read.answer}")
    running = [node for node in everybody(stage) if stage.running(node)]
    stage.check(len(running) == stage.nodes, f"only {running} still run")
    for node in full:
        stage.process(node).disk.files.capacity_bytes = CAPACITY_BYTES
    took_us = yield from served(load, everybody(stage), WAIT_US, each=True)
    stage.budget("us until every node takes writes again", took_us, BACK_US)
    yield from converge(load)


def _is_refused(load: Load) -> bool:
    return any(ticket.answer == REFUSED for ticket in load.tickets[-5:])
