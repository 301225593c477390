"""Eight groups join, and leave again, while clients put and read: one history, judged whole."""

from typing import Final

from pnyx.lab.history import History
from pnyx.lab.scenario import Script, Sleep, Until
from pnyx.lab.scenarios.clerks import Clerk
from pnyx.lab.scenarios.clients import check_linearizable
from pnyx.lab.scenarios.fleet import Fleet, keys_by_shard, manned
from pnyx.lab.scenarios.sixty import CHANGE_US, KEYS, SHARDS
from pnyx.lab.stage import WorldStage

LAST: Final = 9
THINK_US: Final = 50_000
LOSSY_THINK_US: Final = 500_000
"""The whole parade takes ten times as long then."""
END_US: Final = 60_000_000
LEAST: Final = 40
LOSSY_LEAST: Final = 10


def parade(stage: WorldStage, clients: int) -> Script:
    """The last group to leave is the last that joined."""
    fleet = yield from manned(stage)
    yield from fleet.join(1)
    history, over, ended = History("kv-append"), [False], [False] * clients
    for number in range(clients):
        stage.spawn(_work(fleet, number, history, over, ended))
    for group in range(2, 1 + LAST):
        yield from fleet.join(group)
        yield Sleep(CHANGE_US)
    for group in range(2, 1 + LAST):
        yield from fleet.leave(group)
        yield Sleep(CHANGE_US)
    over[0] = True
    stage.reliable(reliable=True)
    all_ended = yield Until(lambda: all(ended), END_US)
    stage.check(all_ended, "a client still waits for an answer")
    operations = len(history.operations())
    least = LOSSY_LEAST if stage.scenario.unreliable else LEAST
    stage.check(operations >= least * clients, f"only {operations} operations were done")
    check_linearizable(stage, history)
    yield from fleet.settled()


def _work(
    fleet: Fleet, number: int, history: History, over: list[bool], ended: list[bool]
) -> Script:
    stage, name = fleet.stage, f"client {number}"
    clerk = Clerk(fleet, name, fleet.stage.scenario.unreliable, history)
    keys = keys_by_shard(KEYS, SHARDS)
    count = 0
    while not over[0]:
        key = keys[stage.below(len(keys), f"key of {name}")]
        count += 1
        if stage.below(2, f"what {name} does"):
            yield from clerk.put(key, b"%d of %d" % (count, number))
        else:
            yield from clerk.get(key)
        yield Sleep(LOSSY_THINK_US if clerk.lossy else THINK_US)
    ended[number] = True
