"""X-E1: a node is added under load, as a learner first; it counts as soon as it is a voter."""

from typing import Final

from pnyx.lab.scenario import Script, Until, scenario
from pnyx.lab.scenarios.agreement import everybody
from pnyx.lab.scenarios.changing import added, changed, members, node_of, numbers_of
from pnyx.lab.scenarios.connectivity import ELECTIONS_MAX, WAIT_US
from pnyx.lab.scenarios.load import began, converge, served
from pnyx.lab.stage import WorldStage
from pnyx.replica.changes import AddLearner, Promote
from pnyx.replica.requests import Done

GAP_US: Final = 100_000
CAUGHT_US: Final = 1_000_000
PROMOTED_US: Final = 2_500_000


@scenario(
    "X-E1",
    about="a learner gets everything and counts for nothing; promoted it counts; nobody waits",
    source="dissertation §4.2.1; bugs E7, E10",
    nodes=3,
)
def add_under_load(stage: WorldStage) -> Script:
    """Add a learner, take the followers away, bring them back, promote it, take one away."""
    load, leader = yield from began(stage)
    load.pulse(everybody(stage))
    since_us = stage.now_us
    new = added(stage)
    node = node_of(stage, new)
    yield from changed(stage, AddLearner(stage.process(new).label, node))
    yield Until(lambda: stage.applied(new) >= stage.applied(leader) > 0, WAIT_US)
    stage.budget("us until the learner has everything", stage.now_us - since_us, CAUGHT_US)
    stage.check(numbers_of(stage, members(stage).learners) == [new], f"{members(stage)}")
    stage.budget("us without an acknowledged write", load.longest_gap_us(since_us), GAP_US)

    followers = [other for other in everybody(stage) if other != leader]
    for follower in followers:
        stage.crash(follower)
    write = load.write(leader, b"learner")
    yield Until(lambda: not write.is_open, 2 * stage.election_us)
    stage.check(not isinstance(write.answer, Done), "one voter and a learner acknowledged a write")
    for follower in followers:
        stage.restart(follower)
    took_us = yield from served(load, everybody(stage), WAIT_US, each=True)
    stage.budget("us until all serve", took_us, ELECTIONS_MAX * stage.election_us)

    since_us = stage.now_us
    yield from changed(stage, Promote(node))
    stage.budget("us until the learner votes", stage.now_us - since_us, PROMOTED_US)
    stage.budget("us without an acknowledged write", load.longest_gap_us(since_us), GAP_US)
    stage.check(numbers_of(stage, members(stage).voters) == [1, 2, 3, new], f"{members(stage)}")
    away = followers[0] if stage.leader() != followers[0] else followers[1]
    stage.crash(away)
    took_us = yield from served(load, (new,), WAIT_US)
    stage.budget("us until three of four serve", took_us, ELECTIONS_MAX * stage.election_us)
    stage.restart(away)
    yield from converge(load)
