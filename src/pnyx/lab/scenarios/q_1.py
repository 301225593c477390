"""Q-1: put, append and get through one replica and through different ones."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.servants import Clerk, service_scenario


@service_scenario("Q-1", "TestBasic", about="every replica answers with the newest value", nodes=3)
def basic(stage: LessonStage) -> Script:
    """One client for each replica, and one for all."""
    anybody = Clerk(stage)
    each = [Clerk(stage, (number,)) for number in stage.numbers]
    yield from anybody.append(b"app", b"x")
    yield from anybody.append(b"app", b"y")
    value = yield from anybody.get(b"app")
    stage.check(value == b"xy", f"got {value!r}")
    yield from anybody.put(b"a", b"aa")
    for clerk in each:
        value = yield from clerk.get(b"a")
        stage.check(value == b"aa", f"n{clerk.among[0]} says {value!r}")
    yield from each[1].put(b"a", b"bbb")
    for clerk in (each[2], each[0], each[1]):
        value = yield from clerk.get(b"a")
        stage.check(value == b"bbb", f"n{clerk.among[0]} says {value!r}")
