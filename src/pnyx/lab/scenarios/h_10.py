"""H-10: one client writes while eight groups join and leave; A reliable, B not."""

from dataclasses import replace
from typing import Final

from pnyx.lab.network import MIT_UNRELIABLE
from pnyx.lab.scenario import add
from pnyx.lab.scenarios.fleet import LOSSY
from pnyx.lab.scenarios.parade import parade
from pnyx.lab.scenarios.sixty import sixty_scenario

RELIABLE: Final = sixty_scenario(
    "H-10A",
    9,
    about="what a client is told is linearizable while eight groups join and leave",
    source="TestOneConcurrentClerkReliable5A, TestOneConcurrentClerkUnreliable5A",
    options={"clients": 1},
)(parade)
UNRELIABLE: Final = add(
    replace(RELIABLE, id="H-10B", profile=MIT_UNRELIABLE, unreliable=True, limits=LOSSY)
)
