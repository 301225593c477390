"""M-3: an increment without the leader reaches the others, and the leader when it is back."""

from pnyx.lab.scenario import Script, Stage, Until, scenario
from pnyx.lab.scenarios.agreement import everybody
from pnyx.lab.scenarios.counter import Tally, one_inc, replicas_show


@scenario(
    "M-3",
    about="two replicas go on without their leader, which catches up when it is back",
    source="MIT 6.5840 lab 4A, TestLeaderFailure4A",
    nodes=3,
    real=True,
)
def leader_failure(stage: Stage) -> Script:
    """Add one, isolate the leader, add one, bring it back."""
    tally = Tally()
    yield from one_inc(stage, tally)
    led = yield Until(lambda: stage.leader() is not None, 5_000_000)
    leader = stage.leader()
    stage.check(led and leader is not None, "nobody leads")
    assert leader is not None, "checked"
    others = [node for node in everybody(stage) if node != leader]
    stage.isolate(leader)
    yield from one_inc(stage, tally, others)
    shown = yield from replicas_show(stage, tally, others)
    stage.rejoin(leader)
    # What nobody knows yet is known now: nothing of it may still happen later.
    yield from replicas_show(stage, Tally(shown, tally.most))
