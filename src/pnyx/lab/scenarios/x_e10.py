"""X-E10: leadership moves again and again in the middle of reads and writes: nothing old is read.

Who is told to stand does so although the others still hear the leader, so neither a lease nor a
heartbeat of before may confirm a read after (dissertation §6.4.1).
"""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import beyond, everybody, one_leader
from pnyx.lab.scenarios.changing import node_of
from pnyx.lab.scenarios.load import began, converge, over
from pnyx.lab.stage import WorldStage
from pnyx.lab.workload import Ticket, WorkloadSettings
from pnyx.machine.commands import Get
from pnyx.replica.requests import Done

BUSY: Final = WorkloadSettings(clients=4, think_us=10_000, keys=1, reads=0.7)
TRANSFERS: Final = 8
STEP_US: Final = 300
STEPS: Final = 6
KEY: Final = b"moving"
ANSWERED_MIN: Final = 0.9


@scenario(
    "X-E10",
    about="while leadership moves every read, at the old leader, the new and others, is current",
    source="dissertation §6.4.1; bugs D1, D4",
    nodes=3,
)
def transfer_in_reads(stage: WorldStage) -> Script:
    """Write at the next leader and read at the one before, every 0.3 ms around a transfer."""
    load, _ = yield from began(stage, BUSY)
    reads: list[Ticket] = []
    for _ in range(TRANSFERS):
        leader = yield from one_leader(stage)
        target = beyond(stage, leader, 1 + stage.below(2, "target"))
        stage.process(leader).transfer(node_of(stage, target))
        for _ in range(STEPS):
            load.write(target, KEY)
            reads += [load.ask(node, Get(KEY)) for node in everybody(stage)]
            yield Sleep(stage.below(2 * STEP_US, "step"))
        yield over(*reads)
    told = sum(isinstance(read.answer, Done) for read in reads)
    stage.budget("reads answered", told, len(reads), ANSWERED_MIN * len(reads))
    yield from converge(load)
