"""R-X2: logs that conflict in eight entries of other terms agree after three appends."""

from typing import Final

from pnyx.consensus.engines import EngineName
from pnyx.lab.scenario import Script, scenario
from pnyx.lab.scenarios.agreement import one_leader
from pnyx.lab.scenarios.prepared import write_logs
from pnyx.lab.scenarios.r_x1 import caught_up
from pnyx.lab.stage import WorldStage

LEADER: Final = (1, 2, 2, 3, 4, 4, 6, 6, 6, 6, 6, 6)
FOLLOWER: Final = (1, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3)


def _prepare(stage: WorldStage) -> None:
    write_logs(stage, [LEADER, LEADER, FOLLOWER])


@scenario(
    "R-X2",
    about="logs that conflict over whole terms agree after three appends",
    source="Raft §5.3, fast back-up",
    nodes=3,
    prepare=_prepare,
)
def conflicting_terms(stage: WorldStage) -> Script:
    """Elect one of the two that hold the newer log; count what the third needs.

    In Multi-Paxos the third may lead, with the log that the promises bring it.
    """
    leader = yield from one_leader(stage)
    may_lead = stage.scenario.consensus is EngineName.MULTIPAXOS
    stage.check(leader != 3 or may_lead, "a node with an older log was elected")
    yield from caught_up(stage, 3)
    stage.check(stage.committed(len(LEADER)) == 3, "not all of the entries were applied")
    values = [stage.stored(node, b"value") for node in (1, 2, 3)]
    stage.check(values == [b"6/12"] * 3, f"the nodes hold {values}")
