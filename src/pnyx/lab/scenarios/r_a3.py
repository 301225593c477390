"""R-A3: nine rounds with up to three of seven nodes away, and always a leader."""

from pnyx.lab.scenario import Script, scenario
from pnyx.lab.scenarios.agreement import one_leader
from pnyx.lab.stage import WorldStage

ROUNDS = 9


@scenario(
    "R-A3",
    about="with up to three of seven nodes away there is a leader within 5 s",
    source="MIT 6.5840 lab 3A, TestManyElections",
    nodes=7,
)
def many_elections(stage: WorldStage) -> Script:
    """Isolate three nodes drawn at random (perhaps the same), look, bring them back."""
    yield from one_leader(stage)
    longest_us = 0
    for _ in range(ROUNDS):
        drawn = [1 + stage.below(stage.nodes, "who") for _ in range(3)]
        for node in drawn:
            stage.isolate(node)
        began_us = stage.now_us
        yield from one_leader(stage)
        longest_us = max(longest_us, stage.now_us - began_us)
        for node in drawn:
            stage.rejoin(node)
    yield from one_leader(stage)
    stage.budget("us until a leader", longest_us, 5_000_000)
