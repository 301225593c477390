"""R-A2: a new leader after a failure, no disturbance by the old one, none without a quorum."""

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.agreement import beyond, no_leader, one_leader
from pnyx.lab.stage import WorldStage


@scenario(
    "R-A2",
    about="a quorum elects, a minority does not, and who comes back disturbs nobody",
    source="MIT 6.5840 lab 3A, TestReElection",
    nodes=3,
)
def re_election(stage: WorldStage) -> Script:
    """Take the leader away, bring it back; take two away, bring them back one by one."""
    old = yield from one_leader(stage)
    stage.isolate(old)
    cut_us = stage.now_us
    new = yield from one_leader(stage)
    stage.budget("us until a new leader", stage.now_us - cut_us, 5_000_000)
    stage.check(new != old, "the isolated leader cannot be the new one")
    term = stage.term(new)

    stage.rejoin(old)
    yield Sleep(2 * stage.election_us)
    stage.check(stage.leaders() == [new], f"{old} came back and {stage.leaders()} lead, not {new}")
    terms = [stage.term(node) for node in (old, new)]
    stage.check(terms == [term, term], f"{old} came back and moved the term {term} to {terms}")

    last = beyond(stage, new, 1)
    stage.isolate(new)
    stage.isolate(last)
    yield Sleep(2 * stage.election_us)
    no_leader(stage)
    stage.check(not stage.leaders(), f"{stage.leaders()} lead for ever without a quorum")

    stage.rejoin(last)
    leader = yield from one_leader(stage)
    term = stage.term(leader)
    stage.rejoin(new)
    yield Sleep(2 * stage.election_us)
    stage.check(stage.leaders() == [leader], f"{new} came back and {stage.leaders()} lead")
    stage.check(stage.term(leader) == term, f"{new} came back and ended the term {term}")
