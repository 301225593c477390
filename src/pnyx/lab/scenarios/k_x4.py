"""K-X4: a refusal tells of one attempt; an earlier one that is on its way may still be done."""

from typing import Final

from pnyx.lab.operation import Operation
from pnyx.lab.scenario import Script, Sleep, Until, scenario
from pnyx.lab.scenarios.clients import Client, first_leader, over, session_of
from pnyx.lab.scenarios.tokens import Said
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import Append
from pnyx.machine.sessions import DEADLINE_AHEAD_MS_MAX
from pnyx.transport.numbering import PATIENCE_MS, Numbering

WRITES: Final = 16
KEY: Final = b"k"
PATIENCE_US: Final = 900_000
"""After that the client gives up, and says what it knows."""
ATTEMPT_US: Final = 150_000
RETRY_US: Final = 100_000
TOO_FAR_MS: Final = 1_500
"""So much too far ahead is a deadline at first."""
AWAY_US: Final = 2_500_000
"""How long who holds the first attempt is away: until its deadline is near enough."""


@scenario(
    "K-X4",
    about="a write refused as too far ahead is not said to be not applied while another attempt "
    "is on its way",
    source="docs/explanation/sessions.md",
    nodes=3,
)
def refused_for_now(stage: WorldStage) -> Script:
    """Append with deadlines that a group with clocks ahead has given, and a first attempt away."""
    yield from first_leader(stage)
    numbering = yield from session_of(Client(stage, "clock"), 1)
    numbering.clock_ms += DEADLINE_AHEAD_MS_MAX - PATIENCE_MS - PATIENCE_US // 1000 + TOO_FAR_MS
    said = Said()
    for step in range(WRITES):
        yield from _write(stage, numbering, b"%d" % step, said)
    value = yield from Client(stage, "reader").get(KEY)
    found = value.split(b";")[:-1]
    said.compare(stage, found)
    late = len(said.unknown.intersection(found))
    stage.budget("writes done late of which nothing was known", late, WRITES, 1)
    stage.budget("writes that were surely not done", len(said.not_applied), WRITES, 1)


def _write(stage: WorldStage, numbering: Numbering, token: bytes, said: Said) -> Script:
    away = 0
    if stage.below(3, "first attempt away"):
        away = 1 + stage.below(stage.nodes, "who is away")
        stage.pause(away)
    operation = Operation.begun(numbering, (Append(KEY, token + b";"),), stage.now_us, PATIENCE_US)
    assert operation is not None, "one write at a time fits into the window"
    node = away
    while operation.over_us is None:
        call = stage.call(node or 1 + stage.below(stage.nodes, "node"), *operation.commands())
        yield over(call, ATTEMPT_US)
        if not operation.heard(call.answer, stage.now_us):
            yield Sleep(RETRY_US)
            node = away % stage.nodes + 1
    said.note(operation.said, token)
    if away:
        yield Sleep(AWAY_US)
        stage.resume(away)
    led = yield Until(lambda: stage.leader() is not None, AWAY_US)
    stage.check(led, "nobody leads")
    yield Sleep(AWAY_US)
