"""X-C10: the only node that hears a majority lacks what the others have compacted.

As in X-C2 Raft elects nobody. In Multi-Paxos all others stream their state to the hub, in pieces
that take longer than an election timeout all together: one stream must not end the other, nor the
next candidacy begin it anew.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pnyx.ids import Index
from pnyx.lab.network import Profile
from pnyx.lab.scenario import Script, Until, scenario
from pnyx.lab.scenarios.agreement import beyond, everybody
from pnyx.lab.scenarios.connectivity import keep_only, lead_or_wait, mend_and_judge
from pnyx.lab.scenarios.load import began, over
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import Set
from pnyx.replica.limits import ReplicaLimits
from pnyx.replica.requests import Done

LATENCY_US: Final = 10_000
KEYS: Final = 40
"""A piece each, and each takes a round trip: more than an election timeout."""
VALUE_BYTES: Final = 200
ELECTIONS_MAX: Final = 6
"""To bring the state takes one and a half by itself."""
SETTLE_US: Final = 2_000_000


@scenario(
    "X-C10",
    about="a hub whose log ends before all others' begin fetches the state and serves",
    source="OmniPaxos, EuroSys 2023, §2.2: constrained election; swarm@multipaxos 25061",
    nodes=5,
    compact_bytes=2_000,
    profile=Profile(latency_us=LATENCY_US),
    unreliable=True,
    limits=replace(ReplicaLimits(), snapshot_chunk_bytes=1),
)
def constrained_by_compaction(stage: WorldStage) -> Script:
    """Keep one follower behind until the others have compacted; then they hear nobody but it."""
    load, leader = yield from began(stage)
    stale = beyond(stage, leader, 1 + stage.below(4, "stale"))
    others = [node for node in everybody(stage) if node not in {leader, stale}]
    stage.isolate(stale)
    writes = [
        load.ask(leader, Set(b"missed.%d" % number, b"%d".ljust(VALUE_BYTES, b"-") % number))
        for number in range(KEYS)
    ]
    yield over(*writes)
    stage.check(all(isinstance(each.answer, Done) for each in writes), "the four do not serve")
    end = stage.log_end(stale).index
    settled = yield Until(lambda: _are_beyond(stage, others, end), SETTLE_US)
    stage.check(settled, f"the others have not compacted alike what n{stale} lacks")
    stage.heal()
    keep_only(stage, [(stale, node) for node in others])
    yield from lead_or_wait(stage, stale, ELECTIONS_MAX)
    yield from mend_and_judge(load)


def _are_beyond(stage: WorldStage, nodes: Sequence[int], end: Index) -> bool:
    """Is there nothing left up to `end`, and do all logs end alike?"""
    replicas = [stage.process(node).replica for node in nodes]
    compacted = [each.consensus.compacted.index for each in replicas if each is not None]
    return min(compacted) > end and len({stage.log_end(node) for node in nodes}) == 1
