"""MULTI-INSTANCE: the service without a leader, its clients, and faults that are drawn."""

from typing import Final

from pnyx.lab.history import History
from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Sleep, Until
from pnyx.lab.scenarios.servants import (
    WAIT_US,
    Clerk,
    check_history,
    equal_in_the_end,
    service_scenario,
)
from pnyx.lab.scenarios.storms import hurt, mended

CLIENTS: Final = 4
KEYS: Final = 2
LASTS_US: Final = 5_000_000
PAUSE_US: Final = 120_000


@service_scenario(
    "MULTI-INSTANCE",
    "all tests at once",
    about="what clients were told has one order, and replicas are equal, under drawn faults",
    nodes=3,
)
def multi_instance(stage: LessonStage) -> Script:
    """Clients of a few keys; then everything is mended, and all agree."""
    history = History("kv-append", "")
    working = dict.fromkeys(range(CLIENTS))
    over_us = stage.now_us + LASTS_US
    for client in range(CLIENTS):
        stage.spawn(_client(stage, client, history, over_us, working))
    stage.spawn(hurt(stage, LASTS_US))
    yield Sleep(LASTS_US)
    yield from mended(stage)
    ended = yield Until(lambda: not working, WAIT_US)
    stage.check(ended, f"{len(working)} clients still wait")
    yield from equal_in_the_end(stage)
    check_history(stage, history)


def _client(
    stage: LessonStage, client: int, history: History, over_us: int, working: dict[int, None]
) -> Script:
    clerk, number = Clerk(stage, history=history), 0
    while stage.now_us < over_us:
        key = b"k%d" % stage.below(KEYS, f"key of {client}")
        number += 1
        match stage.below(5, f"act of {client}"):
            case 0 | 1:
                yield from clerk.get(key)
            case 2:
                yield from clerk.put(key, b"<%d.%d>" % (client, number))
            case _:
                yield from clerk.append(key, b"[%d.%d]" % (client, number))
        yield Sleep(stage.below(PAUSE_US, f"pause of {client}"))
    del working[client]
