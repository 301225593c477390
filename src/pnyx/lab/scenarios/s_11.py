"""S-11: ten clients on the same keys over unreliable links, judged as one history."""

from typing import Final

from pnyx.lab.history import History
from pnyx.lab.network import MIT_UNRELIABLE
from pnyx.lab.scenario import Script, Sleep, Until
from pnyx.lab.scenarios.clerks import Clerk
from pnyx.lab.scenarios.clients import check_linearizable
from pnyx.lab.scenarios.fleet import Fleet, fleet_scenario, keys_by_shard, manned, take_turns
from pnyx.lab.stage import WorldStage

CLIENTS: Final = 10
LEAST: Final = 50
END_US: Final = 60_000_000


@fleet_scenario(
    "S-11",
    about="what ten clients on the same keys are told is linearizable while groups come and go",
    source="MIT 6.5840 lab 5B, TestUnreliable3",
    compact_bytes=100,
    profile=MIT_UNRELIABLE,
    unreliable=True,
)
def unreliable(stage: WorldStage) -> Script:
    """Half of what they do is appends, one in twenty a put, the rest reads."""
    fleet = yield from manned(stage)
    yield from fleet.join(100)
    history, over, ended = History("kv-append"), [False], [False] * CLIENTS
    for number in range(CLIENTS):
        stage.spawn(_work(fleet, number, history, over, ended))
    yield from take_turns(fleet)
    yield Sleep(2_000_000)
    over[0] = True
    stage.reliable(reliable=True)
    all_ended = yield Until(lambda: all(ended), END_US)
    stage.check(all_ended, "a client still waits for an answer")
    operations = len(history.operations())
    stage.check(operations >= LEAST, f"only {operations} operations were done")
    check_linearizable(stage, history)
    yield from fleet.settled()


def _work(
    fleet: Fleet, number: int, history: History, over: list[bool], ended: list[bool]
) -> Script:
    stage, name = fleet.stage, f"client {number}"
    clerk = Clerk(fleet, name, lossy=True, history=history)
    keys = keys_by_shard(fleet.layout.shards, fleet.layout.shards)
    count = 0
    while not over[0]:
        key = keys[stage.below(len(keys), f"key of {name}")]
        dice = stage.below(20, f"what {name} does")
        count += 1
        value = b"x %d %d y" % (number, count)
        if dice < 10:
            yield from clerk.append(key, value)
        elif dice == 10:
            yield from clerk.put(key, value)
        else:
            yield from clerk.get(key)
    ended[number] = True
