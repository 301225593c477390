"""B-6: one server after the other crashes and comes back with nothing."""

from typing import Final

from pnyx.lab.history import History
from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Scenario, Script, Sleep, Until, add
from pnyx.lab.scenarios.understudies import (
    WAIT_US,
    Client,
    backup_scenario,
    check_history,
    settled,
)

LASTS_US: Final = 20_000_000
DOWN_US: Final = 1_000_000
UP_US: Final = 1_000_000
CLIENTS: Final = 2
THINK_US: Final = 20_000


@backup_scenario(
    "B-6",
    "TestRepeatedCrash",
    about="values outlive crashes of one server after the other",
    servers=3,
)
def repeated_crash(stage: LessonStage) -> Script:
    """Down for a second, up for a second, for twenty."""
    yield from settled(stage)
    history = History("kv-append", "")
    over_us = stage.now_us + LASTS_US
    working = dict.fromkeys(range(CLIENTS))
    for number in range(CLIENTS):
        stage.spawn(_client(stage, number, history, over_us, working))
    while stage.now_us < over_us:
        victim = 2 + stage.below(3, "victim")
        stage.crash(victim)
        yield Sleep(DOWN_US)
        stage.restart(victim)
        yield Sleep(UP_US)
        # The last one with the state may not die before another has it.
        yield from settled(stage)
    ended = yield Until(lambda: not working, WAIT_US)
    stage.check(ended, "a client still waits")
    check_history(stage, history)


def _client(
    stage: LessonStage, number: int, history: History, over_us: int, working: dict[int, None]
) -> Script:
    client = Client(stage, history)
    turn = 0
    while stage.now_us < over_us:
        key = b"%d" % stage.below(10, f"key of {number}")
        if stage.below(2, f"act of {number}"):
            yield from client.ask("put", key, b"<%d.%d>" % (number, turn))
        else:
            yield from client.get(key)
        turn += 1
        yield Sleep(THINK_US)
    del working[number]


repeated_crash_unreliable = add(
    Scenario(
        "B-6U",
        about="the same over lossy links",
        source="MIT 6.824 2015, lab 2B (pbservice), TestRepeatedCrashUnreliable",
        nodes=4,
        script=repeated_crash.script,
        profile=repeated_crash.profile,
        unreliable=True,
        lesson=repeated_crash.lesson,
    )
)
