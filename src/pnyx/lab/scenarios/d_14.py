"""D-14: two replicas without their disks and one with its own are no majority that remembers."""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.servants import Clerk, equal_in_the_end, service_scenario

BLOCKED_US: Final = 3_000_000


@service_scenario(
    "D-14",
    "Test5RejoinMix1",
    about="without a majority of intact memories nothing is served",
    nodes=5,
)
def rejoin_mix(stage: LessonStage) -> Script:
    """One knows nothing new, two lost everything, two are down; then those two return."""
    clerk = Clerk(stage)
    yield from clerk.put(b"k", b"old")
    # Whoever was away has no part in what follows.
    stage.crash(1)
    yield from clerk.put(b"k", b"new")
    yield from clerk.append(b"k", b"est")
    stage.wipe(2, 3)
    stage.crash(4, 5)
    stage.restart(1, 2, 3)
    asking = Clerk(stage, (1,))
    get, put = asking.send("get", b"k"), Clerk(stage, (2,))
    written = put.send("put", b"k", b"wrong")
    yield Sleep(BLOCKED_US)
    stage.check(asking.answer(get) is None, "a replica that knows the old value answers")
    stage.check(put.answer(written) is None, "a replica that knows nothing takes a write")
    stage.restart(4, 5)
    value = yield from Clerk(stage, (4,)).get(b"k")
    stage.check(value in {b"newest", b"wrong"}, f"got {value!r}")
    yield from equal_in_the_end(stage)
