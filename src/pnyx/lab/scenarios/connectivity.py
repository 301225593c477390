"""What the scenarios of partial connectivity share: who still hears whom, and what it cost.

Where everybody hears everybody, Raft elects. Where links are missing but some node still hears a
majority, it depends: on pre-vote, on the leader's watch over its own quorum, and on who has the
newest log (OmniPaxos, EuroSys 2023, §2). Each scenario says what ours promises there. What Raft
cannot promise, to elect a node whose log is behind, is in X-C2 and X-C8: Multi-Paxos will, for its
new leader first asks a majority for what it lacks.
"""

from collections.abc import Iterable
from typing import Final

from pnyx.consensus.engines import EngineName
from pnyx.lab.scenario import Script, Sleep, Until
from pnyx.lab.scenarios.agreement import everybody
from pnyx.lab.scenarios.load import Load, converge, served, top_term
from pnyx.lab.stage import WorldStage

ELECTIONS_MAX: Final = 4
"""Election timeouts: the leader notices that it lost its quorum, the next one that it is gone, and
two split votes."""
HEALED_MAX: Final = 3
"""Election timeouts after a heal until every node serves."""
WAIT_US: Final = 10_000_000
LASTS_US: Final = 4_000_000
"""For so long nobody can be elected."""


def keep_only(stage: WorldStage, links: Iterable[tuple[int, int]]) -> None:
    """Cut every link, both ways, but those."""
    kept = {frozenset(link) for link in links}
    for a in everybody(stage):
        for b in everybody(stage):
            if a != b and frozenset((a, b)) not in kept:
                stage.cut(a, b)


def lead_or_wait(stage: WorldStage, hub: int, elections_max: int = ELECTIONS_MAX) -> Script:
    """The one node that hears a majority has an old log: Multi-Paxos elects it, Raft nobody."""
    if stage.scenario.consensus is EngineName.MULTIPAXOS:
        began_us, allowed_us = stage.now_us, elections_max * stage.election_us
        led = yield Until(lambda: stage.leader() == hub, allowed_us)
        stage.check(led, f"{stage.leaders()} lead; {hub} alone hears a majority")
        stage.budget("us until the hub leads", stage.now_us - began_us, allowed_us)
    else:
        term = top_term(stage)
        yield Sleep(LASTS_US)
        stage.check(not stage.leaders(), f"{stage.leaders()} lead: this is no constrained election")
        stage.budget("terms while nobody can be elected", top_term(stage) - term, 1)


def mend_and_judge(load: Load) -> Script:
    """Heal everything: every node serves soon, and all come to the same state."""
    stage = load.stage
    stage.heal()
    took_us = yield from served(load, everybody(stage), WAIT_US, each=True)
    allowed_us = HEALED_MAX * stage.election_us
    stage.budget("us until every node serves after the heal", took_us, allowed_us)
    yield from converge(load)
