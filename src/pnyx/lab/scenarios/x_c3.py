"""X-C3: three nodes in a chain, the leader at an end: the far end disturbs nobody.

The node at the other end hears no leader and asks again and again. The middle one does hear it
and refuses, unread (dissertation §4.2.3): without that, terms would rise for ever and the two ends
would take turns to lead.
"""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import beyond
from pnyx.lab.scenarios.connectivity import keep_only, mend_and_judge
from pnyx.lab.scenarios.load import began, top_term
from pnyx.lab.stage import WorldStage

LASTS_US: Final = 3_000_000
GAP_US: Final = 100_000


@scenario(
    "X-C3",
    about="in a chain of three the leader at one end leads on, and no term is begun",
    source="OmniPaxos, EuroSys 2023, §2.2: chained; Cloudflare 2020; bug C13",
    nodes=3,
)
def chained(stage: WorldStage) -> Script:
    """Cut the leader from one of two followers."""
    load, leader = yield from began(stage)
    middle = beyond(stage, leader, 1 + stage.below(2, "middle"))
    end = 6 - leader - middle
    load.pulse((leader, middle))
    term, since_us = top_term(stage), stage.now_us
    keep_only(stage, [(leader, middle), (middle, end)])
    yield Sleep(LASTS_US)
    stage.budget("terms in the chain", top_term(stage) - term, 0)
    stage.check(stage.leader() == leader, f"n{stage.leader()} leads, not n{leader}")
    stage.budget("us without an acknowledged write", load.longest_gap_us(since_us), GAP_US)
    yield from mend_and_judge(load)
