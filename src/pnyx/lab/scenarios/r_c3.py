"""R-C3: a committed command survives when its leader comes back beside a stale follower."""

from pnyx.lab.scenario import Script, scenario
from pnyx.lab.scenarios.agreement import agree, beyond, one_leader, same_everywhere
from pnyx.lab.stage import WorldStage


@scenario(
    "R-C3",
    about="a committed command survives in a quorum of its leader and a stale follower",
    source="MIT 6.5840 lab 3C, TestPersist3",
    nodes=3,
)
def persist_partitioned(stage: WorldStage) -> Script:
    """Leave one follower behind, crash the other two, bring back the leader first."""
    yield from agree(stage, b"101", expected=3)
    leader = yield from one_leader(stage)
    fresh, stale = beyond(stage, leader, 1), beyond(stage, leader, 2)
    stage.isolate(stale)
    second = yield from agree(stage, b"102", expected=2)
    stage.crash(leader)
    stage.crash(fresh)
    stage.rejoin(stale)
    stage.restart(leader)
    yield from agree(stage, b"103", expected=2)
    stage.check(
        stage.committed(second) == 2 and stage.value(second) == b"102",
        "the command that was committed before the crash is gone",
    )
    stage.restart(fresh)
    yield from agree(stage, b"104", expected=3)
    same_everywhere(stage, b"104")
