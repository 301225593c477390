"""X-E12: dead nodes are removed one by one, until a majority of the founders is gone.

Removing a dead node is what gives a group its tolerance back: three of five could not lose one
more, three of three can. Who comes back later is told, and stops.
"""

from typing import Final

from pnyx.lab.scenario import Script, scenario
from pnyx.lab.scenarios.agreement import everybody
from pnyx.lab.scenarios.changing import changed, is_gone, members, node_of, numbers_of
from pnyx.lab.scenarios.connectivity import ELECTIONS_MAX, WAIT_US
from pnyx.lab.scenarios.load import began, converge, served, top_term
from pnyx.lab.stage import WorldStage
from pnyx.replica.changes import Remove

LARGEST_LOSS: Final = 3


@scenario(
    "X-E12",
    about="dead nodes can be removed until a majority of the founders is gone, and stay away",
    source="dissertation §4.2.3, §4.3; bugs C15, E6",
    nodes=5,
)
def remove_a_majority(stage: WorldStage) -> Script:
    """Crash a node, often the leader, remove it, three times; start all three again."""
    load, _ = yield from began(stage)
    rest = list(everybody(stage))
    gone: list[int] = []
    while len(gone) < LARGEST_LOSS:
        victim = rest[stage.below(len(rest), "victim")]
        stage.crash(victim)
        rest.remove(victim)
        gone.append(victim)
        load.aim(rest)
        took_us = yield from served(load, rest, WAIT_US)
        stage.budget("us until the rest serves", took_us, ELECTIONS_MAX * stage.election_us)
        yield from changed(stage, Remove(node_of(stage, victim)))
        stage.check(numbers_of(stage, members(stage).voters) == rest, f"{members(stage)}")
    term = top_term(stage)
    for victim in gone:
        stage.restart(victim)
    for victim in gone:
        yield from is_gone(stage, victim, "was removed from its group")
    stage.budget("terms begun by those who came back", top_term(stage) - term, 0)
    yield from converge(load)
