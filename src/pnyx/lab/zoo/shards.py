"""Family S: who has which shard, what moves with it, and when things are forgotten."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from pnyx.ids import GroupId
from pnyx.lab.zoo import sessions
from pnyx.lab.zoo.mutant import Absent, Mutant, Patch, Patches, mutant
from pnyx.machine import group, moving, planning, rebalance
from pnyx.machine.configuration import Configuration
from pnyx.machine.controller import CONTROLLER
from pnyx.machine.directives import Join, Leave
from pnyx.machine.holdings import Holdings, Phase, Shard
from pnyx.machine.keyspace import Keyspace
from pnyx.machine.moves import Chunk
from pnyx.machine.results import Result
from pnyx.machine.rows import KIND_DATA

_NOT_MOVING: Final = (
    "No node carries a move out yet; the rules of one have tests of their own, in which this is "
    "planted."
)


@mutant(
    "S9-rebalance-iterates-a-map",
    story="Ties go by the order of a hash map, which is another one in each process: replicas "
    "compute different configurations of one number.",
    seen="shard controllers of MIT 6.824, again and again: Go's maps",
    caught_by=("configurations_agree",),
    scenario="C-4",
)
def _rebalance_iterates_a_map() -> Patches:
    replicas: list[Keyspace] = []
    right, change = rebalance.rebalanced, CONTROLLER.commands[Join]

    def rebalanced(targets: Sequence[GroupId], groups: Sequence[GroupId]) -> tuple[GroupId, ...]:
        # Each replica has its own order: here its number turns it.
        ordered = sorted(groups)
        by = here[0] % max(len(ordered), 1)
        turned = dict(zip(ordered, [*ordered[by:], *ordered[:by]], strict=True))
        back = {new: old for old, new in turned.items()}
        after = right([turned.get(each, each) for each in targets], groups)
        return tuple([back.get(each, each) for each in after])

    here = [0]

    def changed(keyspace: Keyspace, command: Any) -> Result:
        if not any(each is keyspace for each in replicas):
            replicas.append(keyspace)
        here[0] = next(at for at, each in enumerate(replicas) if each is keyspace)
        return change(keyspace, command)

    return [
        Patch(planning, "rebalanced", rebalanced),
        Patch(CONTROLLER.commands, Join, changed),
        Patch(CONTROLLER.commands, Leave, changed),
    ]


@mutant(
    "S10-number-skipped",
    story="A leave counts twice: the configuration after 7 is 9, and whoever follows them one by "
    "one waits for 8.",
    seen="a hazard of the controller's counting: one effect, one number",
    caught_by=("configuration_numbers_without_gaps",),
    scenario="C-4",
)
def _number_skipped() -> Patches:
    right = planning._left  # noqa: SLF001 - a mutant reaches where no caller may

    def left(before: Configuration, groups: Sequence[GroupId]) -> Configuration:
        after = right(before, groups)
        return msgspec.structs.replace(after, number=after.number + 1)

    return [Patch(planning, "_left", left)]


@mutant(
    "S1-checked-when-proposed",
    story="An entry that was on its way when the shard froze is done: the write is acknowledged, "
    "and the new owner never hears of it.",
    seen="a hazard of every hand-over: the check and the effect are two moments",
    caught_by=("scenario", "assertion"),
    scenario="S-X1",
)
def _checked_when_proposed() -> Patches:
    def is_open(held: Holdings, shard: int) -> bool:
        return held.shards[shard].served or held.shards[shard].phase is Phase.FROZEN

    return [Patch(Holdings, "is_open", is_open)]


@mutant(
    "S2-sessions-stay-behind",
    story="Only keys are copied and compared: a retry at the new owner runs again.",
    seen="shardkv of MIT 6.824, the lab's first hint",
    caught_by=("scenario",),
    scenario="S-X1",
)
def _sessions_stay_behind() -> Patches:
    chunk_of, put = moving.chunk_of, moving._put  # noqa: SLF001 - where no caller may

    def keys_of(*asked: Any) -> Chunk | None:
        chunk = chunk_of(*asked)
        if chunk is None:
            return None
        rows = tuple(row for row in chunk.rows if row[0][:1] == KIND_DATA)
        return msgspec.structs.replace(chunk, rows=rows)

    def put_keys(
        keyspace: Keyspace, key: bytes, row: bytes | None, *, is_new: bool = False
    ) -> None:
        if key[:1] == KIND_DATA:
            put(keyspace, key, row, is_new=is_new)

    return [
        Patch(group, "chunk_of", keys_of),
        Patch(moving, "_put", put_keys),
        Patch(Shard, "content", property(lambda held: held.data_sum)),
    ]


@mutant(
    "S7-old-copy-stays-on-followers",
    story="The old copy is deleted by a job of the leader's, not by the entry that gives it up: it "
    "stays on followers, and comes back to life with one of them.",
    seen="shardkv of MIT 6.824, challenge 1",
    caught_by=("state_machine_safety", "snapshot_equals_replay", "scenario", "assertion"),
    scenario="S-X1",
)
def _old_copy_stays_on_followers() -> Patches:
    replicas: list[Keyspace] = []
    right = Keyspace.drop

    def drop(keyspace: Keyspace, lower: bytes, upper: bytes) -> None:
        if not any(each is keyspace for each in replicas):
            replicas.append(keyspace)
        if replicas[0] is keyspace:
            right(keyspace, lower, upper)

    return [Patch(Keyspace, "drop", drop)]


MUTANTS: Final[tuple[Mutant | Absent, ...]] = (
    _checked_when_proposed,
    _sessions_stay_behind,
    Absent("S3", "Effects are logged as operations.", _NOT_MOVING),
    Absent("S4", "The tail is applied before the last chunk.", _NOT_MOVING),
    Absent("S5", "A copy goes on from an older view.", _NOT_MOVING),
    Absent("S6", "The old copy goes before the new owner's commit.", _NOT_MOVING),
    _old_copy_stays_on_followers,
    Absent("S8", "The source unfreezes on a time-out.", _NOT_MOVING),
    _rebalance_iterates_a_map,
    _number_skipped,
    Absent("S11", "One stalled shard stops the others.", _NOT_MOVING),
    sessions.LOCAL_CLOCK,
    Absent("S13", "A shard's clock stays behind when it moves.", _NOT_MOVING),
    sessions.LATE,
    sessions.ACKNOWLEDGED,
    Absent(
        "S16", "A stale directory overwrites a newer epoch.", "No node follows a directory yet."
    ),
)
