"""Q-4: a minority blocks, and goes on when it is no minority any more."""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Sleep, Until
from pnyx.lab.scenarios.servants import Clerk, service_scenario

BLOCKED_US: Final = 1_000_000
PUT_US: Final = 3_000_000
GET_US: Final = 10_000_000


@service_scenario("Q-4", "TestPartition", about="only a majority serves, and with it all", nodes=5)
def partition(stage: LessonStage) -> Script:
    """A put and a get wait at replicas of the minority until they are with a majority."""
    clerks = {number: Clerk(stage, (number,)) for number in stage.numbers}
    yield from clerks[1].put(b"1", b"12")
    stage.partition((3, 4, 5), (1, 2))
    yield from clerks[3].put(b"1", b"13")
    value = yield from clerks[4].get(b"1")
    stage.check(value == b"13", f"the majority says {value!r}")
    put, get = clerks[1].send("put", b"1", b"15"), clerks[2].send("get", b"1")
    yield Sleep(BLOCKED_US)
    stage.check(clerks[1].answer(put) is None, "a put was done in a minority")
    stage.check(clerks[2].answer(get) is None, "a get was answered in a minority")
    yield from clerks[4].put(b"1", b"14")
    stage.partition((1, 3, 4, 5), (2,))
    began_us = stage.now_us
    yield Until(lambda: clerks[1].answer(put) is not None, PUT_US)
    stage.check(clerks[1].answer(put) is not None, "the put is not done with a majority")
    stage.budget("us until the put is done", stage.now_us - began_us, PUT_US)
    stage.check(clerks[2].answer(get) is None, "a get was answered by a replica alone")
    value = yield from clerks[5].get(b"1")
    stage.check(value == b"15", f"the majority says {value!r}")
    stage.partition((1, 2, 3), (4, 5))
    began_us = stage.now_us
    yield Until(lambda: clerks[2].answer(get) is not None, GET_US)
    stage.check(clerks[2].answer(get) == b"15", f"the late get says {clerks[2].answer(get)!r}")
    stage.budget("us until the get is answered", stage.now_us - began_us, GET_US)
