"""B-5: three clients, one key, over lossy links: primary and backup stay the same."""

from typing import Final

from pnyx.lab.history import History
from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Until
from pnyx.lab.scenarios.understudies import (
    WAIT_US,
    Client,
    are_equal,
    backup_scenario,
    check_history,
    check_tokens,
    settled,
)

CLIENTS: Final = 3
EACH: Final = 50


@backup_scenario(
    "B-5",
    "TestConcurrentSame, TestConcurrentSameAppend, TestConcurrentSameUnreliable",
    about="concurrent puts and appends are done in one order on both",
)
def concurrent_same(stage: LessonStage) -> Script:
    """Appends, then puts and gets, reliable and not."""
    yield from settled(stage)
    yield from _all_at_work(stage, "append", None)
    value = yield from Client(stage).get(b"append")
    tokens = [b"<%d.%d>" % (client, n) for client in range(CLIENTS) for n in range(EACH)]
    check_tokens(stage, value, tokens)
    yield from are_equal(stage)
    for reliable in (True, False):
        stage.reliable(reliable=reliable)
        history = History("kv-append", "")
        yield from _all_at_work(stage, "put", history)
        check_history(stage, history)
    stage.reliable(reliable=True)
    yield from are_equal(stage)


def _all_at_work(stage: LessonStage, kind: str, history: History | None) -> Script:
    working = dict.fromkeys(range(CLIENTS))
    for client in range(CLIENTS):
        stage.spawn(_client(stage, kind, client, history, working))
    ended = yield Until(lambda: not working, WAIT_US)
    stage.check(ended, "a client still waits")


def _client(
    stage: LessonStage, kind: str, number: int, history: History | None, working: dict[int, None]
) -> Script:
    client = Client(stage, history)
    # A history begins with nothing, so each has a key of its own.
    lossy = bool(stage.world.network.profile.loss)
    key = b"%s, lossy" % kind.encode() if lossy else kind.encode()
    for turn in range(EACH):
        if kind == "put" and stage.below(3, f"act of {number}") == 0:
            yield from client.get(key)
        else:
            yield from client.ask(kind, key, b"<%d.%d>" % (number, turn))
    del working[number]
