"""X-E5: a node loses its disk while another is down, and the third lacks what those two had.

The trap of ids that come back: the wiped node would vote for the third one, which would lead and
overwrite what was acknowledged. So nobody leads until the one that is down is back.
"""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, Until, scenario
from pnyx.lab.scenarios.agreement import beyond, everybody
from pnyx.lab.scenarios.changing import members, node_of
from pnyx.lab.scenarios.connectivity import ELECTIONS_MAX, WAIT_US
from pnyx.lab.scenarios.load import began, converge, over, served, top_term
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import Get
from pnyx.replica.limits import ReplicaLimits
from pnyx.replica.requests import Done

LASTS_US: Final = 4_000_000
SILENT_MS: Final = 3_000
REPLACED_US: Final = 6_000_000
KEY: Final = b"kept"


@scenario(
    "X-E5",
    about="a wiped node helps nobody to lead while another is down, and nothing is lost",
    source="dissertation §11.7.2; bug E9",
    nodes=3,
    limits=ReplicaLimits(replace_silent_ms=SILENT_MS),
)
def wiped_and_down(stage: WorldStage) -> Script:
    """Write at two, wipe one and crash the other, leave the third with the wiped one."""
    load, leader = yield from began(stage)
    third = beyond(stage, leader, 1 + stage.below(2, "third"))
    pair = [node for node in everybody(stage) if node != third]
    stage.isolate(third)
    kept = load.write(leader, KEY)
    yield over(kept)
    stage.check(isinstance(kept.answer, Done), "two of three do not serve")
    wiped = pair[stage.below(2, "wiped")]
    down = sum(pair) - wiped
    stage.crash(down)
    stage.world.wipe(wiped)
    stage.rejoin(third)
    stage.restart(wiped)
    term = top_term(stage)
    yield Sleep(LASTS_US)
    stage.check(not stage.leaders(), f"{stage.leaders()} lead with the help of a wiped disk")
    stage.budget("terms meanwhile", top_term(stage) - term, 0)
    stage.restart(down)
    took_us = yield from served(load, (third, down), WAIT_US)
    stage.budget("us until two serve again", took_us, ELECTIONS_MAX * stage.election_us)
    read = load.ask(third, Get(KEY))
    yield over(read)
    value = kept.commands[0].value  # type: ignore[union-attr]
    stage.check(read.answer == Done((value,)), f"acknowledged {value!r}, then {read.answer}")
    since_us = stage.now_us
    new = node_of(stage, wiped)
    yield Until(lambda: new in members(stage).voters, WAIT_US)
    stage.budget("us until the wiped one is replaced", stage.now_us - since_us, REPLACED_US)
    yield from converge(load)
