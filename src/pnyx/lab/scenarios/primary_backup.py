"""PRIMARY-BACKUP: clients of a primary and its backup, and faults that are drawn."""

from typing import Final

from pnyx.lab.history import History
from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.lessons.views import DEAD_MS, PING_MS
from pnyx.lab.scenario import Script, Sleep, Until
from pnyx.lab.scenarios.understudies import (
    WAIT_US,
    Client,
    are_equal,
    backup_scenario,
    check_history,
    is_settled,
    settled,
    view_of,
)

CLIENTS: Final = 4
KEYS: Final = 2
LASTS_US: Final = 12_000_000
FAULT_US: Final = 1_200_000
CALM_US: Final = 1_000 * (DEAD_MS + 2 * PING_MS)
"""The view service has noticed by then what was hurt."""
PAUSE_US: Final = 120_000


@backup_scenario(
    "PRIMARY-BACKUP",
    "all tests at once",
    about="what clients were told has one order, as long as the view service lives",
    servers=3,
)
def primary_backup(stage: LessonStage) -> Script:
    """One server at a time crashes or is cut off; the next when another has the state."""
    yield from settled(stage)
    history = History("kv-append", "")
    over_us = stage.now_us + LASTS_US
    working = dict.fromkeys(range(CLIENTS))
    for number in range(CLIENTS):
        stage.spawn(_client(stage, number, history, over_us, working))
    stage.reliable(reliable=bool(stage.below(2, "reliable")))
    while stage.now_us < over_us:
        yield from _hurt(stage)
        stage.restart(2, 3, 4)
        stage.heal()
        # The last one with the state may not be hurt: nobody else could ever lead. Nor who is
        # about to be primary of a view that it never heard of: none could follow it.
        yield Sleep(CALM_US)
        yield Until(lambda: is_settled(stage), LASTS_US)
    stage.reliable(reliable=True)
    ended = yield Until(lambda: not working, WAIT_US)
    stage.check(ended, f"{len(working)} clients still wait")
    check_history(stage, history)
    yield from are_equal(stage)


def _hurt(stage: LessonStage) -> Script:
    view = view_of(stage)
    victim = (view.primary, view.primary, view.backup, 2 + stage.below(3, "any"))[
        stage.below(4, "victim")
    ]
    match stage.below(4, "fault"):
        case 0:
            stage.crash(victim)
        case 1:
            stage.lethal(victim)
        case 2:
            stage.cut(1, victim)
        case _:
            stage.partition((victim,), tuple(n for n in stage.numbers if n != victim))
    yield Sleep(stage.below(FAULT_US, "how long"))
    stage.host(victim).dies_answering = False


def _client(
    stage: LessonStage, number: int, history: History, over_us: int, working: dict[int, None]
) -> Script:
    client, turn = Client(stage, history), 0
    while stage.now_us < over_us:
        key = b"k%d" % stage.below(KEYS, f"key of {number}")
        turn += 1
        match stage.below(5, f"act of {number}"):
            case 0 | 1:
                yield from client.get(key)
            case 2:
                yield from client.ask("put", key, b"<%d.%d>" % (number, turn))
            case _:
                yield from client.ask("append", key, b"[%d.%d]" % (number, turn))
        yield Sleep(stage.below(PAUSE_US, f"pause of {number}"))
    del working[number]
