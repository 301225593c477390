"""Rounds of many clients at random replicas (Q-2, Q-5, Q-6, Q-7)."""

from dataclasses import dataclass, field
from typing import Final

from pnyx.lab.history import History
from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Sleep, Until
from pnyx.lab.scenarios.servants import (
    WAIT_US,
    Clerk,
    check_appends,
    check_history,
    equal_in_the_end,
    token_of,
    values_on,
)

BREAK_US: Final = 100_000


@dataclass(slots=True)
class Round:
    """Clients at work."""

    stage: LessonStage
    working: int = 0
    history: History = field(default_factory=lambda: History("kv-append", ""))

    def over(self) -> Script:
        """Wait for all of them."""
        ended = yield Until(lambda: self.working == 0, WAIT_US)
        self.stage.check(ended, f"{self.working} clients still wait")


def one_key(stage: LessonStage, clients: int, rounds: int) -> Script:
    """Clients, each at one random replica, put or get the same key once."""
    for number in range(rounds):
        crowd = Round(stage)
        for client in range(clients):
            crowd.working += 1
            stage.spawn(_put_or_get(crowd, number, client))
        yield from crowd.over()
        check_history(stage, crowd.history)
        yield from equal_in_the_end(stage)


def sequences(stage: LessonStage, clients: int, rounds: int) -> Script:
    """Each client has a key of its own: get, append three times, rest, get twice."""
    for number in range(rounds):
        crowd = Round(stage)
        for client in range(clients):
            crowd.working += 1
            stage.spawn(_sequence(crowd, number, client))
        yield from crowd.over()


def same_key(stage: LessonStage, clients: int, appends: int) -> Script:
    """Clients append to one key; each append is there once, in its client's order, everywhere."""
    crowd = Round(stage)
    for client in range(clients):
        crowd.working += 1
        stage.spawn(_append(crowd, client, appends))
    yield from crowd.over()
    yield from equal_in_the_end(stage)
    values = values_on(stage, b"k")
    stage.check(len(values) == 1, "replicas differ")
    check_appends(stage, values.pop(), [appends] * clients)


def _put_or_get(crowd: Round, number: int, client: int) -> Script:
    stage = crowd.stage
    at = (1 + stage.below(stage.nodes, "replica"),)
    clerk = Clerk(stage, at, crowd.history)
    key = b"k%d" % number
    if stage.below(2, "put or get"):
        yield from clerk.put(key, b"%d.%d" % (number, client))
    else:
        yield from clerk.get(key)
    crowd.working -= 1


def _sequence(crowd: Round, number: int, client: int) -> Script:
    stage = crowd.stage
    clerk = Clerk(stage)
    key = b"%d.%d" % (number, client)
    value = yield from clerk.get(key)
    stage.check(value == b"", f"{key!r} is {value!r} at first")
    for part in (b"0", b"1", b"2"):
        yield from clerk.append(key, part)
    yield Sleep(BREAK_US)
    for _ in range(2):
        value = yield from clerk.get(key)
        stage.check(value == b"012", f"{key!r} is {value!r}")
    crowd.working -= 1


def _append(crowd: Round, client: int, appends: int) -> Script:
    stage = crowd.stage
    clerk = Clerk(stage, (1 + client % stage.nodes,))
    for number in range(appends):
        yield from clerk.append(b"k", token_of(client, number))
    crowd.working -= 1
