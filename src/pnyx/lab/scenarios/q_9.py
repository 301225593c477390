"""Q-9: ten clients while five lossy replicas are put on random sides again and again."""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Sleep, Until
from pnyx.lab.scenarios.servants import (
    WAIT_US,
    Clerk,
    equal_in_the_end,
    service_scenario,
    token_of,
)

CLIENTS: Final = 10
LASTS_US: Final = 20_000_000
THINK_US: Final = 20_000
OPERATIONS_MIN: Final = 20


@service_scenario(
    "Q-9",
    "TestManyPartition",
    about="whatever the sides are, each client's appends are there once and in order",
    nodes=5,
    unreliable=True,
)
def many_partitions(stage: LessonStage) -> Script:
    """Each client has a key of its own, writes it anew, appends, and reads what it wrote."""
    over_us = stage.now_us + LASTS_US
    counts: list[int] = []
    for client in range(CLIENTS):
        stage.spawn(_client(stage, client, over_us, counts))
    while stage.now_us < over_us:
        sides: tuple[list[int], ...] = ([], [], [])
        for number in stage.numbers:
            sides[stage.below(3, "side")].append(number)
        stage.partition(*(tuple(side) for side in sides if side))
        yield Sleep(1_000 * stage.below(200, "partition time"))
    stage.heal()
    ended = yield Until(lambda: len(counts) == CLIENTS, WAIT_US)
    stage.check(ended, f"{CLIENTS - len(counts)} clients still wait")
    stage.reliable(reliable=True)
    yield from equal_in_the_end(stage)
    few = max(OPERATIONS_MIN - sum(counts), 0)
    stage.budget("operations fewer than twenty", few, 0)


def _client(stage: LessonStage, client: int, over_us: int, counts: list[int]) -> Script:
    clerk = Clerk(stage)
    key, value, done = b"%d" % client, b"", 0
    while stage.now_us < over_us:
        token = token_of(client, done)
        match stage.below(10, f"act of {client}"):
            case 0 | 1 | 2 | 3 | 4:
                yield from clerk.append(key, token)
                value += token
            case 5:
                yield from clerk.put(key, token)
                value = token
            case _:
                read = yield from clerk.get(key)
                stage.check(read == value, f"{key!r} is {read[-40:]!r}, not {value[-40:]!r}")
        done += 1
        yield Sleep(THINK_US)
    counts.append(done)
