"""P-8: what is forgotten takes no memory, and does not come back."""

from typing import Final

import msgspec

from pnyx.consensus.instances.peer import Fate
from pnyx.lab.lessons.decreejudge import peer_of
from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Until
from pnyx.lab.scenarios.decrees import decided, decree_scenario, done, lowest, start, status

COUNT: Final = 10
VALUE_BYTES: Final = 1 << 20
WITHIN_US: Final = 3_000_000


@decree_scenario("P-8", "TestForgetMem", about="forgotten instances take no memory", nodes=3)
def forget_memory(stage: LessonStage) -> Script:
    """Ten values of 1 MiB; all are done; three more."""
    start(stage, 1, 0, b"x")
    yield from decided(stage, [0])
    for seq in range(1, COUNT + 1):
        start(stage, 1, seq, b"%d" % seq * (VALUE_BYTES // len(b"%d" % seq)))
        yield from decided(stage, [seq])
    before = _held(stage)
    stage.check(before >= 3 * COUNT * VALUE_BYTES, f"{before} bytes held: this measures nothing")
    for number in stage.numbers:
        done(stage, number, COUNT)
    for number in stage.numbers:
        start(stage, number, COUNT + number, b"y")
    yield from decided(stage, range(COUNT + 1, COUNT + 4))
    yield Until(lambda: all(lowest(stage, n) == COUNT + 1 for n in stage.numbers), WITHIN_US)
    found = [lowest(stage, number) for number in stage.numbers]
    stage.check(found == [COUNT + 1] * 3, f"Min() is {found}, not {COUNT + 1}")
    stage.budget("bytes of memory", _held(stage), before / 2)
    stage.budget("bytes of disk", sum(h.rows.bytes for h in stage.world.hosts.values()), before / 2)
    for number in stage.numbers:
        start(stage, number, 5, b"again")
        fate = status(stage, number, 5).fate
        stage.check(fate is Fate.FORGOTTEN, f"instance 5 is {fate} on n{number} after Start")
    yield from _nothing_comes_back(stage)


def _nothing_comes_back(stage: LessonStage) -> Script:
    back = yield Until(lambda: _held(stage) > VALUE_BYTES, WITHIN_US)
    stage.check(not back, "a forgotten value is held again")


def _held(stage: LessonStage) -> int:
    """Return the bytes of everything that peers hold of their instances."""
    return sum(
        len(
            msgspec.msgpack.encode(
                (one.acceptor, one.proposer, one.accept, list(one.learner.heard), one.value)
            )
        )
        for host in stage.world.hosts.values()
        for one in peer_of(host).instances.values()
    )
