"""S-X1: a shard moves back and forth between two groups that lose power, under counting clients."""

from collections.abc import Generator
from typing import Any, Final

from pnyx.ids import Epoch, ShardId
from pnyx.lab.scenario import Script, Step, scenario
from pnyx.lab.scenarios.pairs import Mover, Pair
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import Clock, Get, IncrBy, Sequenced, Set
from pnyx.machine.holdings import WRONG_SHARD
from pnyx.machine.moves import FoundShards
from pnyx.machine.moving import SHARDS
from pnyx.machine.results import Result
from pnyx.machine.shards import SHARDS_DEFAULT, shard_of_slot
from pnyx.machine.slots import slot_of

CLIENTS: Final = 3
MOVES: Final = 6
VALUES: Final = 20
KEYS: Final = 8
"""That each client increments."""
LOST_OF: Final = 4
"""One answer of so many is lost on its way to the client, who asks again later."""
LATE_US: Final = 400_000
DEADLINE_MS: Final = 3_000_000
THINK_US: Final = 20_000
FREEZE_MS_MAX: Final = 20_000
TAG: Final = b"{moving}"
SHARD: Final = ShardId(shard_of_slot(slot_of(TAG), SHARDS_DEFAULT))


@scenario(
    "S-X1",
    about="increments of session clients count once while their shard moves and nodes lose power",
    source="the crash matrix of a move",
    nodes=3,
    machine=SHARDS,
    compact_bytes=4_000,
    limit_us=600_000_000,
)
def back_and_forth(stage: WorldStage) -> Script:
    """Move the shard six times; cut nodes' power all along; read what clients were told."""
    pair = Pair(stage)
    every = tuple(ShardId(shard) for shard in range(SHARDS_DEFAULT))
    yield from pair.ask(0, FoundShards(every, Epoch(1)))
    yield from pair.ask(1, FoundShards((), Epoch(1)))
    for number in range(VALUES):
        yield from pair.ask(0, Set(b"%s.%d" % (TAG, number), b"v" * 50))
    mover, over = Mover(pair, SHARD), [False]
    ended = [False] * CLIENTS
    counted = [[0] * KEYS for _ in range(CLIENTS)]
    for client in range(CLIENTS):
        stage.spawn(_count(pair, client, over, counted[client], ended))
    for group in range(2):
        stage.spawn(_trouble(pair, group, over))
    attempts = 0
    while mover.activated < MOVES:
        yield from mover.move()
        yield from pair.sleep(THINK_US)
        attempts += 1
    over[0] = True
    while not all(ended):
        yield from pair.sleep(THINK_US)
    for client, counts in enumerate(counted):
        for number, count in enumerate(counts):
            held = yield from pair.ask(mover.owner, Get(_key(client, number)))
            wanted = b"%d" % count if count else None
            stage.check(held == wanted, f"client {client} counted {count}, {held!r} is there")
    for number in range(VALUES):
        held = yield from pair.ask(mover.owner, Get(b"%s.%d" % (TAG, number)))
        stage.check(held == b"v" * 50, f"value {number} is {held!r}")
    other = yield from pair.ask(1 - mover.owner, Get(_key(0, 0)))
    stage.check(other == WRONG_SHARD, f"the group that gave the shard away says {other!r}")
    stage.budget("attempts for six moves", attempts, 4 * MOVES, MOVES)
    longest = max(mover.freezes_us) / 1_000
    stage.budget("ms of the longest freeze, with power cuts", longest, FREEZE_MS_MAX)
    stage.budget("increments", sum(map(sum, counted)), 100_000, CLIENTS)
    pair.finish()


def _count(
    pair: Pair, client: int, over: list[bool], counts: list[int], ended: list[bool]
) -> Script:
    """Increment, and send each increment again until it is answered, wherever the shard is."""
    session = b"%016d" % client
    name, group, sequence = f"client {client}", 0, 0
    clock = yield from pair.ask(0, Clock(), name)
    assert isinstance(clock, int), "a clock is a number"
    while not over[0]:
        sequence += 1
        number = pair.stage.below(KEYS, f"key of {name}")
        key = _key(client, number)
        write = Sequenced(
            slot_of(key), session, b"default", sequence, sequence - 1, clock + DEADLINE_MS, 0,
            IncrBy(key, 1),
        )  # fmt: skip
        told, group = yield from _until_done(pair, write, group, name)
        counts[number] += 1
        pair.stage.check(told == counts[number], f"increment {counts[number]} gave {told!r}")
        yield from pair.sleep(THINK_US)
    ended[client] = True


def _until_done(
    pair: Pair, write: Sequenced, group: int, name: str
) -> Generator[Step, Any, tuple[Result, int]]:
    while True:
        results = yield from pair.attempt(group, write, name)
        if results is not None and results[0] == WRONG_SHARD:
            group = 1 - group
        elif results is not None:
            if pair.stage.below(LOST_OF, f"lost answer of {name}"):
                return results[0], group
            yield from pair.sleep(pair.stage.below(LATE_US, f"patience of {name}"))
        yield from pair.sleep(THINK_US)


def _trouble(pair: Pair, group: int, over: list[bool]) -> Script:
    stage, there = pair.stage, pair.groups[group]
    while not over[0]:
        yield from pair.sleep(200_000 + stage.below(1_500_000, f"calm of {group}"))
        leader = there.leader()
        drawn = 1 + stage.below(there.nodes, f"who of {group}")
        node = leader if leader is not None and stage.below(2, f"leader of {group}") else drawn
        there.crash(node)
        yield from pair.sleep(100_000 + stage.below(1_000_000, f"down of {group}"))
        there.restart(node)


def _key(client: int, number: int) -> bytes:
    return b"%s count %d of %d" % (TAG, number, client)
