"""Family S: who has which shard, what moves with it, and when things are forgotten."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from pnyx.ids import GroupId, ShardId
from pnyx.lab.zoo import sessions
from pnyx.lab.zoo.mutant import Mutant, Patch, Patches, mutant
from pnyx.machine import moving, planning, rebalance
from pnyx.machine.configuration import Configuration, Directory
from pnyx.machine.controller import CONTROLLER
from pnyx.machine.directives import Join, Leave
from pnyx.machine.holdings import Holdings, Phase, Shard
from pnyx.machine.keyspace import Keyspace
from pnyx.machine.moves import (
    Chunk,
    MoveActivate,
    MoveChunk,
    MoveDone,
    MoveFreeze,
    MoveRejected,
)
from pnyx.machine.results import OK, Result
from pnyx.machine.rows import KIND_DATA, PLAIN_BYTES
from pnyx.replica.arrival import Arrival
from pnyx.replica.asks import Ask
from pnyx.replica.atlas import Atlas
from pnyx.replica.departures import Departures

_UNCOMPARED: Final = (Patch(Shard, "content", property(lambda _: 0)),)
"""The copy is not compared, or it would be rejected for ever: the bug is in both."""
_FROZEN_MS: Final = 200
_NEWEST: Final = 1 << 60
"""A change that no shard has come to."""


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
    caught_by=("done_only_where_served", "scenario"),
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
    caught_by=("copy_equals_source", "effects_follow_one_history", "scenario"),
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
        Patch(moving, "chunk_of", keys_of),
        Patch(moving, "_put", put_keys),
        Patch(Shard, "content", property(lambda held: held.data_sum)),
    ]


@mutant(
    "S7-old-copy-stays-on-followers",
    story="The old copy is deleted by a job of the leader's, not by the entry that gives it up: it "
    "stays on followers, and comes back to life with one of them.",
    seen="shardkv of MIT 6.824, challenge 1",
    caught_by=("old_copy_gone_with_its_entry", "state_machine_safety", "snapshot_equals_replay"),
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


@mutant(
    "S3-effects-as-operations",
    story="The change log says what was asked, not what came of it: an increment that the copied "
    "row holds already is done to it again.",
    seen="a hazard of every fuzzy copy",
    caught_by=("copy_equals_source", "effects_follow_one_history", "scenario"),
    scenario="S-X2-12",
)
def _effects_as_operations() -> Patches:
    put = moving._put  # noqa: SLF001 - where no caller may

    def put_again(
        keyspace: Keyspace, key: bytes, row: bytes | None, *, is_new: bool = False
    ) -> None:
        held = None if is_new else keyspace.row(keyspace.prefix + key)
        is_sum = held is not None and key[:1] == KIND_DATA and held[PLAIN_BYTES:].isdigit()
        if held is not None and row is not None and is_sum:
            row = row[:PLAIN_BYTES] + b"%d" % (int(held[PLAIN_BYTES:]) + 1)
        put(keyspace, key, row, is_new=is_new)

    return [
        Patch(moving, "_put", put_again),
        *_UNCOMPARED,
    ]


@mutant(
    "S4-tail-before-the-last-chunk",
    story="A chunk is taken whatever state it was read from: one that another replica read, which "
    "is behind, lays old rows over changes that are done.",
    seen="a hazard of every copy that another replica goes on with",
    caught_by=("copy_equals_source", "effects_follow_one_history", "scenario"),
    scenario="S-X3",
)
def _tail_before_the_last_chunk() -> Patches:
    right = Arrival._took_chunk  # noqa: SLF001 - where no caller may

    def took_chunk(arrival: Arrival, ask: Ask, chunk: Chunk, now_ms: int) -> bool:
        # Neither here nor where it is applied anybody sees how old it is.
        return right(arrival, ask, msgspec.structs.replace(chunk, at=_NEWEST), now_ms)

    return [Patch(Arrival, "_took_chunk", took_chunk), *_UNCOMPARED]


@mutant(
    "S5-resumed-beyond-the-gap",
    story="A chunk that was read later says how far the source had come by then, and the copy goes "
    "on from there: what changed meanwhile in rows that were copied before is lost.",
    seen="a hazard of every copy that another replica goes on with",
    caught_by=("copy_equals_source", "effects_follow_one_history", "scenario"),
    scenario="S-X2-11",
)
def _resumed_beyond_the_gap() -> Patches:
    right = moving.SHARDS.commands[MoveChunk]

    def chunk(keyspace: Keyspace, command: Any) -> Result:
        result = right(keyspace, command)
        held = moving._at_destination(  # noqa: SLF001 - where no caller may
            keyspace, command.shard, command.epoch
        )
        if result == OK and held is not None:
            held.changes = max(held.changes, command.chunk.at)
        return result

    return [Patch(moving.SHARDS.commands, MoveChunk, chunk), *_UNCOMPARED]


@mutant(
    "S6-deleted-with-the-freeze",
    story="The source deletes the shard when it is frozen, for the copy is as good as there. The "
    "last changes are on nobody's disk any more.",
    seen="shardkv of MIT 6.824, challenge 1",
    caught_by=("source_follows_the_destination",),
    scenario="S-3",
)
def _deleted_with_the_freeze() -> Patches:
    freeze = moving.SHARDS.commands[MoveFreeze]
    done = moving.SHARDS.commands[MoveDone]

    def freeze_and_delete(keyspace: Keyspace, command: MoveFreeze) -> Result:
        result = freeze(keyspace, command)
        done(keyspace, MoveDone(command.shard, command.epoch))
        return result

    return [Patch(moving.SHARDS.commands, MoveFreeze, freeze_and_delete)]


@mutant(
    "S8-unfrozen-on-a-time-out",
    story="A source that hears nothing of its frozen shard serves it again, and does not ask the "
    "destination's log. That has activated it.",
    seen="a hazard of every hand-over: time-outs decide",
    caught_by=("source_follows_the_destination", "one_group_serves_a_shard"),
    scenario="S-X2-19",
)
def _unfrozen_on_a_time_out() -> Patches:
    right = Departures._of_leaving  # noqa: SLF001 - where no caller may

    def of_leaving(departures: Departures, shard: ShardId, held: Shard, *following: Any) -> Any:
        found = right(departures, shard, held, *following)
        is_known = found is not None and isinstance(found[1][0], MoveDone)
        if held.phase is Phase.FROZEN and following[-1] >= _FROZEN_MS and not is_known:
            me = departures._me  # noqa: SLF001 - where no caller may
            return me, (MoveRejected(shard, held.epoch),)
        return found

    return [Patch(Departures, "_of_leaving", of_leaving)]


@mutant(
    "S11-one-stalled-shard-stops-the-others",
    story="A move that waits for a group which is down keeps its place among those that are copied "
    "at a time: once all places are taken so, nothing comes from anybody.",
    seen="shardkv of MIT 6.824, challenge 2",
    caught_by=("scenario",),
    scenario="S-X4A",
)
def _one_stalled_shard_stops_the_others() -> Patches:
    return [
        Patch(Arrival, "waits", property(lambda _: False)),
        Patch(Arrival, "silent", property(lambda _: None)),
    ]


@mutant(
    "S13-clock-stays-behind",
    story="A shard moves and its time does not: a key that had expired is there again at a group "
    "whose clock is behind.",
    seen="a hazard of clocks that are agreed on a group",
    caught_by=("clock_moves_along",),
    scenario="S-X7",
)
def _clock_stays_behind() -> Patches:
    right = moving.SHARDS.commands[MoveActivate]

    def activate(keyspace: Keyspace, command: MoveActivate) -> Result:
        before_ms = keyspace.clock_ms
        result = right(keyspace, command)
        keyspace.clock_ms = keyspace.estimate_ms = before_ms
        return result

    return [Patch(moving.SHARDS.commands, MoveActivate, activate)]


@mutant(
    "S16-stale-directory-believed",
    story="A node believes whatever it hears last of who serves a shard: an old message, or a "
    "member of the controller that is behind, takes it back to an earlier epoch.",
    seen="a hazard of every cached routing table",
    caught_by=("atlas_never_goes_back",),
    scenario="S-X2-26",
)
def _stale_directory_believed() -> Patches:
    right = Atlas.take

    def take(atlas: Atlas, configuration: Configuration, directory: Directory) -> bool:
        is_other = atlas.shards and tuple(atlas._serving) != directory.shards  # noqa: SLF001
        if is_other:
            atlas._serving = list(directory.shards)  # noqa: SLF001 - where no caller may
            atlas.version += 1
        return right(atlas, configuration, directory) or bool(is_other)

    return [Patch(Atlas, "take", take)]


MUTANTS: Final[tuple[Mutant, ...]] = (
    _checked_when_proposed,
    _sessions_stay_behind,
    _effects_as_operations,
    _tail_before_the_last_chunk,
    _resumed_beyond_the_gap,
    _deleted_with_the_freeze,
    _old_copy_stays_on_followers,
    _unfrozen_on_a_time_out,
    _rebalance_iterates_a_map,
    _number_skipped,
    _one_stalled_shard_stops_the_others,
    sessions.LOCAL_CLOCK,
    _clock_stays_behind,
    sessions.LATE,
    sessions.ACKNOWLEDGED,
    _stale_directory_believed,
)
