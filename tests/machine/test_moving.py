"""A shard moves from one group to another: nothing is lost, doubled, or served by both."""

from typing import Any

import msgspec
import pytest

from machine.driving import START_MS, Driver, dump
from machine.moving import (
    FIRST,
    SHARD,
    Copying,
    changes_at,
    chunk_at,
    counted,
    key_in,
    rows_of,
    sequenced,
    serving,
    sides,
)
from pnyx.ids import Epoch, GroupId, ShardId
from pnyx.machine import commands as c, holdings as holdings_module
from pnyx.machine.commands import Expiry
from pnyx.machine.holdings import RECENT_COUNT_MAX, WRONG_SHARD, Phase, slots_of
from pnyx.machine.machine import ELSEWHERE
from pnyx.machine.moves import (
    FoundShards,
    MoveAbort,
    MoveAccept,
    MoveActivate,
    MoveBegin,
    MoveDone,
    MoveForget,
    MoveFreeze,
    MoveRejected,
    MoveResolve,
    ReadChanges,
    ReadChunk,
    decode_changes,
    decode_chunk,
    decode_frozen,
)
from pnyx.machine.moving import ACTIVATED, NOT_YET, REJECTED, VOID
from pnyx.machine.results import OK, Result, Values
from pnyx.machine.rows import PREFIX_BYTES
from pnyx.machine.slots import slot_of
from pnyx.machine.transactions import COMMANDS

OTHER = ShardId(2)


def begun(*, keys: int = 5) -> Copying:
    source, destination = sides()
    for number in range(keys):
        source.tell(c.Set(key_in(SHARD, number), b"v%d" % number))
    source.tell(c.Set(key_in(OTHER), b"other"))
    copying = Copying(source, destination, SHARD, FIRST)
    assert copying.begin() == copying.accept() == OK
    return copying


# Who serves what.


def test_a_key_of_a_shard_that_is_elsewhere_is_refused_in_every_command() -> None:
    _, side = sides()
    key = key_in(SHARD)
    before = dump(side.group.space)[1:]
    for command in (
        c.Get(key),
        c.Set(key, b"v"),
        c.MSet(((key, b"v"),)),
        c.Rename(key, key),
        c.Transaction((c.Get(key),)),
        c.Transaction((), ((key, 0),)),
        sequenced(key, 1, c.Set(key, b"v")),
    ):
        assert side.tell(command) == WRONG_SHARD
    assert side.read(c.Get(key)) == WRONG_SHARD
    assert dump(side.group.space)[1:] == before


KEYLESS = {
    c.Keys, c.Scan, c.RandomKey, c.DbSize, c.FlushAll, c.KeyspaceStats, c.Tick, c.Clock
}  # fmt: skip


@pytest.mark.parametrize("kind", COMMANDS)
def test_the_keys_of_every_command_are_known(kind: type[c.Command]) -> None:
    values = {"pairs": ((b"k", b"v"),), "keys": (b"k",), "commands": (c.Get(b"k"),)}
    values |= {"slot": slot_of(b"k"), "command": c.Get(b"k")}  # type: ignore[dict-item]
    fields = msgspec.structs.fields(kind)
    made = kind(**{each.name: values.get(each.name, b"k") for each in fields if each.required})
    made_of: Any = made
    assert set(slots_of(made_of)) == (set() if kind in KEYLESS else {slot_of(b"k")})


def test_shards_are_founded_once_and_never_below_the_floor() -> None:
    copying = begun()
    for shard, epoch, result in ((0, 1, OK), (0, 2, VOID), (SHARD, 1, VOID), (9, 1, VOID)):
        assert copying.source.tell(FoundShards((ShardId(shard),), Epoch(epoch))) == result
    copying.copy_all()
    copying.activate()
    copying.source.tell(MoveDone(SHARD, FIRST))
    assert copying.source.tell(FoundShards((SHARD,), Epoch(2))) == VOID
    assert copying.source.tell(FoundShards((SHARD,), Epoch(3))) == OK


def test_a_group_with_the_whole_keyspace_knows_no_moves() -> None:
    assert Driver().group.apply([]) == []
    assert Driver().apply([[MoveBegin(SHARD, FIRST, GroupId(2))]]) == [[ELSEWHERE]]


# A move that goes well.


def test_a_shard_arrives_with_all_its_rows_and_leaves_none_behind() -> None:
    copying = begun()
    wanted = rows_of(copying.source.group, SHARD)
    copying.copy_all()
    assert copying.activate() == ACTIVATED
    assert copying.source.tell(MoveDone(SHARD, FIRST)) == OK
    assert rows_of(copying.destination.group, SHARD) == wanted
    assert rows_of(copying.source.group, SHARD) == []
    assert copying.source.read(c.DbSize()) == 1
    assert copying.destination.read(c.DbSize()) == 5
    assert serving((copying.source, copying.destination), SHARD) == [copying.destination]


def test_what_is_written_while_the_shard_is_copied_arrives_too() -> None:
    copying = begun()
    copying.chunk()
    first, last = sorted((key_in(SHARD, number) for number in range(5)), key=slot_of)[::4]
    copying.source.tell(c.Append(first, b"!"))
    copying.source.tell(c.Append(last, b"!"))
    copying.source.tell(c.Del((key_in(SHARD, 2),)))
    copying.source.tell(c.Set(key_in(SHARD, 9), b"new"))
    copying.copy_all()
    wanted = rows_of(copying.source.group, SHARD)
    assert copying.activate() == ACTIVATED
    assert rows_of(copying.destination.group, SHARD) == wanted


def test_a_counter_that_is_counted_on_during_the_copy_counts_once() -> None:
    copying = begun()
    key = key_in(SHARD, 7)
    for _ in range(3):
        copying.source.tell(c.IncrBy(key, 1))
        copying.chunk()
    copying.copy_all()
    assert copying.activate() == ACTIVATED
    assert copying.destination.read(c.Get(key)) == b"3"


def test_a_flush_during_the_copy_deletes_what_was_copied() -> None:
    copying = begun()
    copying.copy_all()
    copying.source.tell(c.FlushAll())
    copying.source.tell(c.Set(key_in(SHARD, 3), b"after"))
    assert copying.activate() == ACTIVATED
    assert copying.destination.read(c.DbSize()) == 1
    assert copying.destination.read(c.Get(key_in(SHARD, 3))) == b"after"


def test_a_frozen_shard_is_neither_read_nor_written_nor_swept() -> None:
    copying = begun(keys=0)
    copying.source.tell(c.Set(key_in(SHARD), b"v", Expiry(10, relative=True)))
    copying.freeze()
    before = rows_of(copying.source.group, SHARD)
    copying.source.now_ms += 1_000
    for command in (c.Get(key_in(SHARD)), c.Set(key_in(SHARD), b"x")):
        assert copying.source.tell(command) == WRONG_SHARD
    copying.source.tell(c.FlushAll())
    assert rows_of(copying.source.group, SHARD) == before


def test_a_shard_on_its_way_in_shows_nowhere() -> None:
    copying = begun()
    copying.copy_all()
    side = copying.destination
    assert side.read(c.DbSize()) == 0
    assert side.read(c.Keys(b"*")) == Values(())
    assert side.read(c.Get(key_in(SHARD))) == WRONG_SHARD


# Sessions, time, revisions.


def test_a_retry_at_the_new_owner_gets_the_answer_of_the_old_one() -> None:
    copying = begun()
    key = key_in(SHARD, 8)
    write = sequenced(key, 1, c.IncrBy(key, 5))
    first = copying.source.tell(write)
    copying.copy_all()
    second = sequenced(key, 2, c.IncrBy(key, 5))
    told = [first, copying.source.tell(second)]
    assert copying.activate() == ACTIVATED
    copying.source.tell(MoveDone(SHARD, FIRST))
    assert [copying.destination.tell(each) for each in (write, second)] == told == [5, 10]


def test_a_session_is_forgotten_at_the_new_owner_too() -> None:
    copying = begun()
    key = key_in(SHARD, 8)
    copying.source.tell(sequenced(key, 1, c.IncrBy(key, 5)))
    copying.copy_all()
    copying.activate()
    copying.destination.now_ms += 2_000_000
    copying.destination.tell(c.Tick())
    assert all(row_key[8] != 3 for row_key, _ in rows_of(copying.destination.group, SHARD))


def test_a_key_that_has_expired_stays_so_at_a_group_whose_clock_is_behind() -> None:
    copying = begun()
    key = key_in(SHARD, 8)
    copying.source.tell(c.Set(key, b"v", Expiry(1_000, relative=True)))
    copying.copy_all()
    copying.source.now_ms += 2_000
    assert copying.source.tell(c.Get(key)) is None
    copying.activate()
    assert copying.destination.group.clock_ms == START_MS + 2_000
    assert copying.destination.tell(c.Get(key)) is None


def test_a_key_expires_at_the_new_owner_when_it_would_have_at_the_old() -> None:
    copying = begun(keys=0)
    key = key_in(SHARD, 8)
    copying.source.tell(c.Set(key, b"v", Expiry(1_000, relative=True)))
    copying.copy_all()
    copying.activate()
    assert copying.destination.group.next_expiry_ms() == START_MS + 1_000
    copying.destination.now_ms += 1_000
    copying.destination.tell(c.Tick())
    assert copying.destination.read(c.DbSize()) == 0


def test_a_revision_is_never_used_again_for_a_key() -> None:
    copying = begun()
    key = key_in(SHARD, 0)
    for _ in range(20):
        copying.source.tell(c.Set(key, b"v"))
    before = copying.source.read(c.Revisions((key,)))
    copying.copy_all()
    copying.activate()
    assert copying.destination.read(c.Revisions((key,))) == before
    copying.destination.tell(c.Set(key, b"w"))
    after = copying.destination.read(c.Revisions((key,)))
    assert isinstance(before, Values)
    assert isinstance(after, Values)
    assert after.members[0] > before.members[0]  # type: ignore[operator]


# Moves that end otherwise.


def test_an_aborted_move_leaves_the_shard_with_its_source_two_epochs_later() -> None:
    copying = begun()
    copying.chunk()
    assert copying.source.tell(MoveAbort(SHARD, FIRST)) == OK
    held = copying.source.shard(SHARD)
    assert (held.phase, held.epoch, held.floor) == (Phase.SERVING, 3, 2)
    assert copying.source.tell(c.Get(key_in(SHARD))) == b"v0"
    assert copying.destination.tell(MoveResolve(SHARD, FIRST)) == REJECTED
    assert rows_of(copying.destination.group, SHARD) == []


def test_a_frozen_move_is_not_aborted_by_its_source() -> None:
    copying = begun()
    copying.freeze()
    assert copying.source.tell(MoveAbort(SHARD, FIRST)) == VOID


def test_a_rejection_that_was_recorded_first_is_respected_by_a_late_activation() -> None:
    copying = begun()
    copying.copy_all()
    copying.freeze()
    assert copying.destination.tell(MoveResolve(SHARD, FIRST)) == REJECTED
    assert copying.activate() == REJECTED
    assert copying.source.tell(MoveRejected(SHARD, FIRST)) == OK
    assert serving((copying.source, copying.destination), SHARD) == [copying.source]


def test_an_activation_that_came_first_is_what_a_question_hears() -> None:
    copying = begun()
    copying.copy_all()
    copying.activate()
    assert copying.destination.tell(MoveResolve(SHARD, FIRST)) == ACTIVATED
    assert copying.activate() == ACTIVATED


def test_a_question_that_comes_before_everything_makes_the_attempt_void() -> None:
    _, destination = sides()
    assert destination.tell(MoveResolve(SHARD, FIRST)) == REJECTED
    assert destination.tell(MoveAccept(SHARD, FIRST, GroupId(1))) == VOID


def test_a_copy_that_is_not_the_same_is_rejected_and_deleted() -> None:
    copying = begun()
    copying.copy_all()
    frozen = copying.freeze()
    assert isinstance(frozen, bytes)
    told = decode_frozen(frozen)
    for wrong in (
        msgspec.structs.replace(told, keys=told.keys + 1),
        msgspec.structs.replace(told, content=told.content ^ 1),
    ):
        other = begun()
        other.copy_all()
        changes = changes_at(copying.source.group, SHARD, FIRST, 0, 1)
        assert changes is not None
        last = MoveActivate(SHARD, FIRST, wrong, changes)
        assert other.destination.tell(last) == REJECTED
        assert rows_of(other.destination.group, SHARD) == []


def test_a_copy_that_lacks_something_waits_for_it() -> None:
    copying = begun()
    assert copying.activate() == NOT_YET
    assert copying.destination.shard(SHARD).phase is Phase.IMPORTING
    copying.copy_all()
    assert copying.activate() == ACTIVATED


def test_a_chunk_of_an_older_state_than_what_was_done_is_void() -> None:
    copying = begun()
    copying.source.follow(99)
    copying.source.tell(c.Set(key_in(SHARD, 0), b"newer"))
    copying.changes()
    assert copying.destination.shard(SHARD).changes == 1
    copying.chunk(behind=True)
    assert copying.destination.shard(SHARD).cursor == b""
    copying.chunk()
    assert copying.destination.shard(SHARD).cursor != b""


def test_a_replica_that_does_not_know_of_the_move_gives_nothing() -> None:
    copying = begun()
    assert copying.chunk(behind=True) is None
    assert copying.changes(behind=True) is None


def test_what_the_destination_has_is_forgotten_and_the_rest_stays() -> None:
    copying = begun()
    for number in range(4):
        copying.source.tell(c.Set(key_in(SHARD, number), b"again"))
    assert copying.source.tell(MoveForget(SHARD, FIRST, 3)) == OK
    assert copying.source.tell(MoveForget(SHARD, FIRST, 2)) == OK
    assert copying.source.tell(MoveForget(SHARD, FIRST, 5)) == VOID
    assert changes_at(copying.source.group, SHARD, FIRST, 2, 1 << 20) is None
    left = changes_at(copying.source.group, SHARD, FIRST, 3, 1 << 20)
    assert left is not None
    assert (left.first, len(left.effects)) == (4, 1)


def test_a_destination_too_far_behind_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holdings_module, "LAG_BYTES_MAX", 200)
    copying = begun()
    copying.source.tell(c.Set(key_in(SHARD, 0), b"x" * 100))
    assert copying.source.shard(SHARD).phase is Phase.EXPORTING
    copying.source.tell(c.Set(key_in(SHARD, 0), b"x" * 100))
    held = copying.source.shard(SHARD)
    assert (held.phase, held.epoch) == (Phase.SERVING, 3)
    assert copying.freeze() == VOID


# Reads of a move: any replica of the source may answer, however far behind.


def test_rows_and_changes_of_a_leaving_shard_are_read_as_commands() -> None:
    source, destination = sides()
    source.tell(c.Set(key_in(SHARD), b"v"))
    reads = (ReadChunk(SHARD, FIRST, b"", 64), ReadChanges(SHARD, FIRST, 0, 64))
    assert [source.read(each) for each in reads] == [VOID, VOID]
    Copying(source, destination, SHARD, FIRST).begin()
    source.tell(c.Set(key_in(SHARD), b"w"))
    chunk, changes = (source.read(each) for each in reads)
    assert isinstance(chunk, bytes)
    assert isinstance(changes, bytes)
    rows = decode_chunk(chunk).rows
    held = rows_of(source.group, SHARD)
    assert list(rows) == [(key[PREFIX_BYTES:], row) for key, row in held]
    assert decode_changes(changes).effects == (rows,)


def test_a_read_that_wants_no_bytes_gets_a_row_all_the_same() -> None:
    copying = begun()
    chunk = chunk_at(copying.source.group, SHARD, FIRST, b"", 0)
    assert chunk is not None
    assert len(chunk.rows) == 1


# Many keys at once.

HERE = ((0, 4095),)
"""The slots of shard 0, which does not move."""
BOTH = ((0, 8191),)


@pytest.mark.parametrize(
    ("command", "result"),
    [
        (c.DbSize(BOTH), 5),
        (c.DbSize(HERE), 1),
        (c.KeyspaceStats(BOTH), Values((5, 0))),
        (c.Keys(b"*", HERE), Values((key_in(0),))),
        (c.Scan(0, last=4095), Values((b"%d" % (4096 << 48), Values((key_in(0),))))),
    ],
)
def test_of_ranges_that_are_served_exactly_their_keys_are_told(
    command: c.AnyCommand, result: Result
) -> None:
    copying = begun(keys=4)
    copying.source.tell(c.Set(key_in(0), b"v"))
    assert copying.source.read(command) == result
    copying.copy_all()
    copying.freeze()
    hidden = WRONG_SHARD if command not in (c.DbSize(HERE), c.Keys(b"*", HERE)) else result
    hidden = result if command == c.Scan(0, last=4095) else hidden
    assert copying.source.read(command) == hidden


def test_a_flush_of_ranges_does_nothing_unless_all_of_them_are_served() -> None:
    copying = begun(keys=4)
    copying.source.tell(c.Set(key_in(0), b"v"))
    copying.copy_all()
    copying.freeze()
    for all_or_nothing in (
        c.FlushAll(BOTH),
        c.Transaction((c.FlushAll(BOTH),)),
        c.Clock(slot_of(key_in(SHARD))),
    ):
        assert copying.source.tell(all_or_nothing) == WRONG_SHARD
    assert copying.source.read(c.DbSize(HERE)) == 1
    assert copying.source.tell(c.FlushAll(HERE)) == OK
    assert copying.source.read(c.DbSize(HERE)) == 0
    assert copying.activate() == ACTIVATED
    assert copying.destination.read(c.DbSize(((4096, 8191),))) == 4


def test_a_flush_in_a_transaction_clears_shard_by_shard() -> None:
    copying = begun(keys=4)
    done = copying.source.tell(
        c.Transaction((c.Set(key_in(0), b"v"), c.FlushAll(), c.DbSize(BOTH)))
    )
    assert done == Values((OK, OK, 0))
    copying.source.tell(c.Set(key_in(SHARD, 9), b"after"))
    copying.copy_all()
    assert copying.activate() == ACTIVATED
    assert copying.destination.read(c.DbSize()) == 1


def test_a_scan_from_behind_its_last_slot_is_over() -> None:
    _, side = sides()
    end = b"%d" % (4096 << 48)
    assert side.read(c.Scan(5000 << 48, last=4095)) == Values((end, Values(())))
    assert side.read(c.Scan(2**64 - 1)) == Values((b"0", Values(())))


# What a group keeps of its shards.


def test_what_is_kept_of_shards_is_in_the_rows_after_every_entry() -> None:
    side, _ = sides()
    for number in range(3 * RECENT_COUNT_MAX):
        side.tell(c.Set(key_in(SHARD, number % 5), b"%d" % number), c.IncrBy(key_in(OTHER), 1))
        for shard in (SHARD, OTHER):
            held = side.shard(shard)
            assert (held.keys, held.content) == counted(side.group, shard)
            assert held == side.group.shard(shard)


def test_an_entry_is_one_change_of_each_shard_that_it_changed() -> None:
    copying = begun()
    key = key_in(SHARD, 7)
    copying.source.tell(c.Set(key, b"1"), c.Get(key), c.IncrBy(key, 1), c.Del((key_in(SHARD),)))
    copying.source.tell(c.Get(key), c.Set(key_in(OTHER), b"elsewhere"))
    changes = changes_at(copying.source.group, SHARD, FIRST, 0, 1 << 20)
    assert changes is not None
    assert [len(effects) for effects in changes.effects] == [2]


def test_what_an_entry_did_before_the_freeze_is_frozen_and_the_rest_is_refused() -> None:
    copying = begun()
    copying.copy_all()
    key = key_in(SHARD, 7)
    copying.source.tell(c.Set(key, b"in"), MoveFreeze(SHARD, FIRST), c.Set(key, b"late"))
    wanted = rows_of(copying.source.group, SHARD)
    assert copying.activate() == ACTIVATED
    assert rows_of(copying.destination.group, SHARD) == wanted
    assert copying.destination.read(c.Get(key)) == b"in"
