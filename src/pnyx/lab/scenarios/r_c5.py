"""R-C5: agreement over links that lose, delay and reorder."""

from typing import Final

from pnyx.lab.network import MIT_UNRELIABLE
from pnyx.lab.scenario import Script, Until, scenario
from pnyx.lab.scenarios.agreement import AGREE_US, agree, same_everywhere
from pnyx.lab.stage import WorldStage

ROUNDS: Final = 49
BESIDE: Final = 4


@scenario(
    "R-C5",
    about="commands are agreed although one message in ten is lost, four beside each other",
    source="MIT 6.5840 lab 3C, TestUnreliableAgree",
    nodes=5,
    profile=MIT_UNRELIABLE,
    unreliable=True,
)
def unreliable_agree(stage: WorldStage) -> Script:
    """Get five commands a round committed somewhere, then all of them everywhere."""
    agreed: list[int] = []

    def beside(value: bytes) -> Script:
        agreed.append((yield from agree(stage, value, expected=1)))

    for turn in range(1, 1 + ROUNDS):
        for place in range(BESIDE):
            stage.spawn(beside(b"%d" % (100 * turn + place)))
        yield from agree(stage, b"%d" % turn, expected=1)
    stage.reliable(reliable=True)
    over = yield Until(lambda: len(agreed) == ROUNDS * BESIDE, AGREE_US)
    stage.check(over, f"{len(agreed)} of {ROUNDS * BESIDE} commands were agreed")
    last = yield from agree(stage, b"100", expected=5)
    log = {stage.value(number) for number in range(1, last + 1)}
    wanted = {b"%d" % (100 * turn + place) for turn in range(1, 50) for place in range(BESIDE)}
    stage.check(wanted <= log, f"of the agreed commands {sorted(wanted - log)} are missing")
    same_everywhere(stage, b"100")
