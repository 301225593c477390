"""SINGLE-DECREE: peers want different values in one instance, whatever happens to them."""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.network import Profile
from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.decrees import decided, decree_scenario, start
from pnyx.lab.scenarios.storms import hurt, mended

LASTS_US: Final = 600_000
PAUSE_US: Final = 20_000
STARTS: Final = 40
LOSSY: Final = Profile(loss=0.4, duplicate=0.1, uniform_us=20_000, reorder=True)
"""An agreement takes milliseconds: only links that are this bad let several compete for it."""


@decree_scenario(
    "SINGLE-DECREE",
    "Paxos Made Simple §2",
    about="one value is decided and never another, whoever wants what, under drawn faults",
    nodes=5,
    profile=LOSSY,
    unreliable=True,
)
def single_decree(stage: LessonStage) -> Script:
    """Peers start instance 0 at random moments, each time with another value."""
    over_us = stage.now_us + LASTS_US
    stage.spawn(hurt(stage, LASTS_US, PAUSE_US))
    for turn in range(STARTS):
        number = 1 + stage.below(stage.nodes, "who")
        if stage.host(number).node is not None:
            start(stage, number, 0, b"v%d.%d" % (number, turn))
        yield Sleep(stage.below(2 * LASTS_US // STARTS, "pause"))
    yield Sleep(max(over_us - stage.now_us, 0))
    yield from mended(stage)
    for number in stage.numbers:
        start(stage, number, 0, b"late.%d" % number)
    yield from decided(stage, [0])
