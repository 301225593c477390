"""D-12: five clients append while replicas are killed, with and without their disks."""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Sleep, Until
from pnyx.lab.scenarios.servants import (
    WAIT_US,
    Clerk,
    check_appends,
    equal_in_the_end,
    service_scenario,
    token_of,
    values_on,
)

CLIENTS: Final = 5
EACH_US: Final = 200_000
KILLS: Final = 3
DOWN_US: Final = 1_000_000
UP_US: Final = 3_000_000


@service_scenario(
    "D-12",
    "Test5ConcurrentCrashReliable",
    about="appends are there once, in order, on all, whoever lost power or disk",
    nodes=3,
)
def concurrent_crash(stage: LessonStage) -> Script:
    """Three plain kills, three with loss of the disk."""
    counts = [-1] * CLIENTS
    over: list[bool] = []
    for client in range(CLIENTS):
        stage.spawn(_client(stage, client, counts, over))
    for kill in range(2 * KILLS):
        number = 1 + stage.below(3, "victim")
        if kill % 2:
            stage.wipe(number)
        else:
            stage.crash(number)
        yield Sleep(DOWN_US)
        stage.restart(number)
        yield Sleep(UP_US)
    over.append(True)
    ended = yield Until(lambda: min(counts) >= 0, WAIT_US)
    stage.check(ended, "a client still waits")
    yield from equal_in_the_end(stage)
    values = values_on(stage, b"0")
    stage.check(len(values) == 1, "replicas differ")
    check_appends(stage, values.pop(), counts)


def _client(stage: LessonStage, client: int, counts: list[int], over: list[bool]) -> Script:
    clerk, done = Clerk(stage), 0
    while not over:
        yield from clerk.append(b"0", token_of(client, done))
        done += 1
        yield Sleep(stage.below(2 * EACH_US, f"pause of {client}"))
    counts[client] = done
