"""R-C1: what was agreed survives crashes of all, of the leader and of a follower."""

from pnyx.lab.scenario import Script, scenario
from pnyx.lab.scenarios.agreement import (
    agree,
    beyond,
    everybody,
    one_leader,
    same_everywhere,
    settle,
)
from pnyx.lab.stage import WorldStage


@scenario(
    "R-C1",
    about="what was agreed survives power losses of all, of leaders and of followers",
    source="MIT 6.5840 lab 3C, TestPersist1",
    nodes=3,
)
def persist_all(stage: WorldStage) -> Script:
    """Crash everybody; the leader; the leader for one command; a follower for one command."""
    yield from agree(stage, b"11", expected=3)
    for node in everybody(stage):
        stage.crash(node)
    for node in everybody(stage):
        stage.restart(node)
    yield from agree(stage, b"12", expected=3)

    leader = yield from one_leader(stage)
    stage.crash(leader)
    stage.restart(leader)
    yield from agree(stage, b"13", expected=3)

    leader = yield from one_leader(stage)
    stage.crash(leader)
    fourth = yield from agree(stage, b"14", expected=2)
    stage.restart(leader)
    yield from settle(stage, fourth, 3)

    follower = beyond(stage, (yield from one_leader(stage)), 1)
    stage.crash(follower)
    yield from agree(stage, b"15", expected=2)
    stage.restart(follower)
    last = yield from agree(stage, b"16", expected=3)
    agreed = [stage.value(number) for number in range(1, last + 1)]
    in_order = list(dict.fromkeys(agreed))
    wanted = [b"11", b"12", b"13", b"14", b"15", b"16"]
    stage.check(in_order == wanted, f"agreed were {wanted}, the log says {agreed}")
    same_everywhere(stage, b"16")
