"""X-C8: a ring of five: everybody hears a majority, no two the same one.

The leader leads on. If it goes, the two that heard it hear too few, and the two that hear enough
have older logs: as in X-C2 nobody can be elected, and what is asserted is that terms stand still
and that the leader's return is enough, although no link is mended.
"""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import beyond
from pnyx.lab.scenarios.connectivity import ELECTIONS_MAX, WAIT_US, keep_only, mend_and_judge
from pnyx.lab.scenarios.load import began, over, served, top_term
from pnyx.lab.stage import WorldStage
from pnyx.replica.requests import Done

LASTS_US: Final = 2_000_000
GAP_US: Final = 100_000
WRITES: Final = 5


@scenario(
    "X-C8",
    about="in a ring of overlapping majorities the leader leads on, and when it is back after a "
    "crash somebody does again",
    source="Jepsen's majorities-ring; OmniPaxos, EuroSys 2023, §2.2; bug C13",
    nodes=5,
)
def majorities_ring(stage: WorldStage) -> Script:
    """Leave each node its two neighbours; then crash the leader and start it again."""
    load, leader = yield from began(stage)
    ring = [beyond(stage, leader, steps) for steps in range(5)]
    load.pulse((leader, ring[1], ring[4]))
    term, since_us = top_term(stage), stage.now_us
    keep_only(stage, list(zip(ring, [*ring[1:], leader], strict=True)))
    load.aim((leader, ring[1], ring[4]))
    yield Sleep(LASTS_US)
    stage.budget("terms in the ring", top_term(stage) - term, 0)
    stage.check(stage.leaders() == [leader], f"{stage.leaders()} lead, not n{leader}")
    gap_us = load.longest_gap_us(since_us)
    stage.budget("us without an acknowledged write", gap_us, GAP_US)
    writes = [load.write(leader, b"ring") for _ in range(WRITES)]
    yield over(*writes)
    stage.check(all(isinstance(each.answer, Done) for each in writes), "the ring does not serve")
    stage.crash(leader)
    yield Sleep(LASTS_US)
    stage.budget("terms while nobody can be elected", top_term(stage) - term, 1)
    stage.restart(leader)
    took_us = yield from served(load, ring, WAIT_US)
    allowed_us = ELECTIONS_MAX * stage.election_us
    stage.budget("us until the ring serves with its leader back", took_us, allowed_us)
    load.aim(sorted(ring))
    yield from mend_and_judge(load)
