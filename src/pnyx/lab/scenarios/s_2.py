"""S-2: a group that has half of the shards refuses the keys of the others."""

from collections.abc import Generator
from typing import Any, Final

from pnyx.ids import Epoch, ShardId
from pnyx.lab.scenario import Failed, Script, Sleep, Step, scenario
from pnyx.lab.scenarios.clients import RETRY_US, first_leader, over
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import AnyCommand, Get, Set
from pnyx.machine.holdings import WRONG_SHARD
from pnyx.machine.moves import FoundShards
from pnyx.machine.moving import SHARDS
from pnyx.machine.results import OK, Result
from pnyx.machine.shards import SHARDS_DEFAULT
from pnyx.machine.slots import slot_of
from pnyx.replica.requests import Done

CLIENTS: Final = 10
HALF: Final = SHARDS_DEFAULT // 2
PATIENCE_US: Final = 10_000_000


@scenario(
    "S-2",
    about="of ten clients who believe that one group has everything exactly five are answered",
    source="MIT 6.5840 lab 5B, TestRejection (2024)",
    nodes=3,
    machine=SHARDS,
)
def rejection(stage: WorldStage) -> Script:
    """The group has the lower half; half of the keys are there. Then its leader dies."""
    yield from first_leader(stage)
    half = tuple(ShardId(shard) for shard in range(HALF))
    yield from _told(stage, FoundShards(half, Epoch(1)))
    keys = [*_keys(lower=True), *_keys(lower=False)]
    for _ in range(2):
        answered = 0
        for key in keys:
            answered += yield from _ask(stage, key)
        stage.budget("clients answered", answered, CLIENTS // 2, CLIENTS // 2)
        stage.crash(stage.leader() or 1)
        yield Sleep(2 * stage.election_us)
        for node in range(1, stage.nodes + 1):
            stage.restart(node)


def _ask(stage: WorldStage, key: bytes) -> Generator[Step, Any, int]:
    """Write and read a key; return whether that was done, if it is not refused as it should be."""
    written = yield from _told(stage, Set(key, b"of " + key))
    read = yield from _told(stage, Get(key))
    if written == OK:
        stage.check(read == b"of " + key, f"{key!r} was written, {read!r} is there")
        return 1
    stage.check(written == read == WRONG_SHARD, f"{key!r}: {written!r}, then {read!r}")
    return 0


def _told(stage: WorldStage, command: AnyCommand) -> Generator[Step, Any, Result]:
    began_us = stage.now_us
    while stage.now_us - began_us < PATIENCE_US:
        call = stage.call(stage.leader() or 1, command)
        yield over(call, PATIENCE_US)
        if isinstance(call.answer, Done):
            return call.answer.results[0]
        yield Sleep(RETRY_US)
    raise Failed(f"{command} had no answer within {PATIENCE_US / 1e6:g} s")


def _keys(*, lower: bool) -> list[bytes]:
    every = (b"key %d" % number for number in range(1_000))
    half = [key for key in every if (slot_of(key) < (1 << 13)) == lower]
    return half[: CLIENTS // 2]
