"""X-C2: the only node that hears a majority has an old log: Raft elects nobody, Multi-Paxos it.

Raft §5.4.1 gives no vote to a log that is behind, and whoever's is not hears too few. No
implementation of Raft can serve here until a link is mended: what is asserted is that nothing
acknowledged is lost, that terms stand still meanwhile (pre-vote), and that the first heal is
enough. Multi-Paxos asks for promises, not for votes, and brings the newest log with them: the hub
serves within four election timeouts.
"""

from typing import Final

from pnyx.lab.scenario import Script, Until, scenario
from pnyx.lab.scenarios.agreement import beyond, everybody
from pnyx.lab.scenarios.connectivity import keep_only, lead_or_wait, mend_and_judge
from pnyx.lab.scenarios.load import began, over
from pnyx.lab.stage import WorldStage
from pnyx.replica.requests import Done

WRITES: Final = 5


@scenario(
    "X-C2",
    about="if only a node with an old log hears a majority, Raft waits and Multi-Paxos serves",
    source="OmniPaxos, EuroSys 2023, §2.2: constrained election; Raft §5.4.1; bug C13",
    nodes=5,
)
def constrained_election(stage: WorldStage) -> Script:
    """Keep one follower behind, then let the others hear nobody but it."""
    load, leader = yield from began(stage)
    stale = beyond(stage, leader, 1 + stage.below(4, "stale"))
    others = [node for node in everybody(stage) if node not in {leader, stale}]
    stage.isolate(stale)
    writes = [load.write(leader, b"missed") for _ in range(WRITES)]
    yield over(*writes)
    stage.check(all(isinstance(each.answer, Done) for each in writes), "the four do not serve")
    # Everybody but the stale one has these, so nobody who may lead hears three.
    settled = yield Until(
        lambda: len({stage.log_end(node) for node in others}) == 1, stage.election_us
    )
    stage.check(settled, "the others do not have the same log")
    stage.heal()
    keep_only(stage, [(stale, node) for node in others])
    yield from lead_or_wait(stage, stale)
    yield from mend_and_judge(load)
