"""Stories of a shard between two groups: whatever comes when, nothing is lost, doubled, or shared.

The story is tested, too: each rule of a move is broken once, and some story must notice.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st
from msgspec import structs

from machine.driving import dump
from machine.moving import (
    FIRST,
    SHARD,
    Copying,
    Side,
    chunk_at,
    counted,
    key_in,
    rows_of,
    same_rows,
    sequenced,
    serving,
    sides,
)
from pnyx.ids import Epoch, ShardId
from pnyx.machine import commands as c, moving
from pnyx.machine.commands import AnyCommand, Expiry
from pnyx.machine.holdings import WRONG_SHARD, Holdings, Phase, Shard
from pnyx.machine.keyspace import Keyspace
from pnyx.machine.moves import (
    Changes,
    Chunk,
    MoveAbort,
    MoveAccept,
    MoveActivate,
    MoveChunk,
    MoveDone,
    MoveRejected,
    MoveResolve,
)
from pnyx.machine.moving import ACTIVATED, REJECTED, SHARDS, VOID
from pnyx.machine.results import OK, Result
from pnyx.machine.rows import KIND_DEADLINE, KIND_EXPIRY, PREFIX_BYTES
from pnyx.prng import Prng

CHOICE = st.tuples(st.integers(0, 15), st.integers(0, 5), st.integers(0, 1 << 16))


class Story:
    """One shard between two groups, and what clients were told of it."""

    def __init__(self) -> None:
        self.sides = sides()
        self.values: dict[bytes, tuple[bytes, int]] = {}
        """By key, the value and when it goes (0: never)."""
        self.answers: dict[int, tuple[c.Sequenced, Result]] = {}
        self.copying: Copying | None = None
        self.old: list[tuple[Side, AnyCommand]] = []
        self.sequence = 0

    def step(self, what: int, which: int, luck: int) -> None:
        side = self.sides[luck % 2]
        side.now_ms += luck % 7
        if what < 5:
            self._write(side, which, luck)
        elif what == 5:
            self._retry(side, luck)
        elif what == 6:
            side.follow(luck % 9)
        elif self.copying is None:
            self._start()
        else:
            self._advance(self.copying, what, luck)

    def _write(self, side: Side, which: int, luck: int) -> None:
        key, value = key_in(SHARD, which), b"%d" % luck
        ttl = 40 if luck % 3 == 0 else 0
        command: AnyCommand = c.Set(key, value, Expiry(ttl, relative=True) if ttl else None)
        if luck % 5 == 0:
            command = c.Del((key,))
        elif luck % 5 == 1:
            self.sequence += 1
            command = sequenced(key, self.sequence, c.Set(key, value))
            command = msgspec.structs.replace(command, ack=max(0, self.sequence - 16))
            ttl = 0
        result = side.tell(command)
        if result == WRONG_SHARD:
            return
        assert side.shard(SHARD).served
        if isinstance(command, c.Del):
            self.values.pop(key, None)
            return
        if isinstance(command, c.Sequenced):
            self.answers[self.sequence] = (command, result)
        self.values[key] = (value, side.group.clock_ms + ttl if ttl else 0)

    def _retry(self, side: Side, luck: int) -> None:
        recent = [each for each in self.answers if each > self.sequence - 16]
        if recent:
            command, result = self.answers[recent[luck % len(recent)]]
            before = rows_of(side.group, SHARD) if side.shard(SHARD).served else []
            told = side.tell(command)
            assert told in (result, WRONG_SHARD)
            if told != WRONG_SHARD:
                changed = set(before) ^ set(rows_of(side.group, SHARD))
                assert all(_is_expiring(row) for _, row in changed)

    def _start(self) -> None:
        owner = [each for each in self.sides if each.shard(SHARD).phase is Phase.SERVING]
        if owner:
            source = owner[0]
            destination = self.sides[source is self.sides[0]]
            epoch = source.shard(SHARD).epoch
            self.copying = Copying(source, destination, SHARD, epoch)
            self.copying.told = self.old
            self.copying.begin()

    def _advance(self, copying: Copying, what: int, luck: int) -> None:
        if what == 7:
            copying.accept()
        elif what in {8, 9}:
            copying.chunk(behind=luck % 3 == 0)
        elif what == 10:
            copying.changes(behind=luck % 3 == 0)
        elif what == 11:
            self._settle(copying, copying.activate())
        elif what == 12 and luck % 4 == 0:
            self._settle(copying, copying.send(copying.destination, _question(copying)))
        elif what == 13 and luck % 4 == 0:
            if copying.send(copying.source, MoveAbort(SHARD, copying.epoch)) == OK:
                self.copying = None
        elif copying.told:
            # Something that was sent before arrives again.
            side, command = copying.told[luck % len(copying.told)]
            side.tell(command)

    def _settle(self, copying: Copying, outcome: Result) -> None:
        asked = any(type(each) is MoveResolve for _, each in copying.sent)
        assert outcome != REJECTED or asked, "a copy that was made by the rules is the same"
        shard = copying.source.shard(SHARD)
        if outcome == ACTIVATED:
            assert copying.send(copying.source, MoveDone(SHARD, copying.epoch)) == OK
            self.copying = None
        elif outcome == REJECTED:
            if shard.phase is Phase.FROZEN:
                copying.send(copying.source, MoveRejected(SHARD, copying.epoch))
            else:
                copying.send(copying.source, MoveAbort(SHARD, copying.epoch))
            self.copying = None

    def check(self) -> None:
        """At most one group serves the shard, and it has exactly what clients were told."""
        owners = serving(self.sides, SHARD)
        assert len(owners) <= 1
        for side in owners:
            now_ms = side.group.clock_ms
            for number in range(6):
                key = key_in(SHARD, number)
                value, expire_ms = self.values.get(key, (None, 0))
                gone = bool(expire_ms) and expire_ms <= now_ms
                assert side.read(c.Get(key)) == (None if gone else value)
            held = side.shard(SHARD)
            assert (held.keys, held.content) == counted(side.group, SHARD)
            assert side.group.read((c.DbSize(),), 0) == [held.keys]

    def finish(self) -> None:
        """Let the move that is under way end well or not at all; somebody serves then."""
        copying = self.copying
        if copying is not None:
            copying.begin()
            copying.accept()
            if copying.destination.shard(SHARD).phase is Phase.IMPORTING:
                copying.copy_all()
            outcome = copying.activate()
            if outcome not in (ACTIVATED, REJECTED):
                outcome = copying.send(copying.destination, _question(copying))
            self._settle(copying, outcome)
        assert len(serving(self.sides, SHARD)) == 1


def _question(copying: Copying) -> MoveResolve:
    return MoveResolve(SHARD, copying.epoch)


def _is_expiring(row: bytes) -> bool:
    return row[0] == 2


@settings(max_examples=150)
@given(st.lists(CHOICE, max_size=80))
def test_whatever_comes_when_one_group_at_most_serves_and_nothing_is_lost(
    choices: list[tuple[int, int, int]],
) -> None:
    story = Story()
    for choice in choices:
        story.step(*choice)
        story.check()
    story.finish()
    story.check()
    for side in story.sides:
        assert same_rows(side)


def test_what_came_due_while_a_shard_was_frozen_goes_once_it_has_left() -> None:
    source, destination = sides()
    key = key_in(SHARD)
    source.tell(c.Set(key, b"", Expiry(50, relative=True)), sequenced(key, 1, c.Tick()))
    copying = Copying(source, destination, SHARD, FIRST)
    copying.begin()
    copying.accept()
    copying.copy_all()
    assert copying.activate() == ACTIVATED
    source.now_ms += 2_000_000
    source.tell(c.Tick())
    source.tell(MoveDone(SHARD, FIRST))
    source.tell(c.Tick())
    kinds = [row_key[PREFIX_BYTES:][:1] for row_key, _ in dump(source.group.space)]
    assert KIND_EXPIRY not in kinds
    assert KIND_DEADLINE not in kinds


def test_a_revision_that_was_told_is_never_used_again_though_its_key_left_no_row() -> None:
    source, destination = sides()
    key = key_in(SHARD)
    source.tell(c.Set(key_in(0), b""))
    told, _ = source.tell_all(c.CompareAndSet(key, 0, b"v"), c.Del((key,)))
    copying = Copying(source, destination, SHARD, FIRST)
    copying.begin()
    copying.accept()
    copying.copy_all()
    assert copying.activate() == ACTIVATED
    after = destination.tell(c.CompareAndSet(key, 0, b"w"))
    assert isinstance(after, int)
    assert isinstance(told, int)
    assert after > told


def test_a_session_that_was_dropped_with_its_shard_is_met_no_more_in_that_entry() -> None:
    source, destination = sides()
    source.tell(sequenced(key_in(SHARD), 1, c.Set(key_in(SHARD), b"v")))
    copying = Copying(source, destination, SHARD, FIRST)
    copying.begin()
    copying.accept()
    copying.copy_all()
    chunk, again = chunk_at(source.group, SHARD, FIRST, b"", 1 << 20), Epoch(FIRST + 2)
    assert chunk is not None
    told = destination.tell_all(
        MoveResolve(SHARD, FIRST),
        MoveAccept(SHARD, again, source.number),
        MoveChunk(SHARD, again, chunk),
    )
    held = destination.shard(SHARD)
    assert told == [REJECTED, OK, OK]
    assert (held.keys, held.content) == counted(destination.group, SHARD) != (0, 0)


# The story itself: it must notice when a rule is not kept.


def _serve_frozen(patch: pytest.MonkeyPatch) -> None:
    def served(shard: Shard) -> bool:
        return shard.phase in (Phase.SERVING, Phase.EXPORTING, Phase.FROZEN)

    patch.setattr(Shard, "served", property(served))


def _leave_sessions(patch: pytest.MonkeyPatch) -> None:
    right = moving.chunk_of

    def chunk_of(*asked: Any) -> Chunk | None:
        chunk = right(*asked)
        if chunk is None:
            return None
        return structs.replace(chunk, rows=tuple(row for row in chunk.rows if row[0][0] == 1))

    patch.setattr(moving, "chunk_of", chunk_of)


def _take_older_views(patch: pytest.MonkeyPatch) -> None:
    right = SHARDS.commands[MoveChunk]

    def chunk(keyspace: Keyspace, command: MoveChunk) -> Result:
        known = 1 << 60
        newer = structs.replace(command.chunk, at=known)
        return right(keyspace, structs.replace(command, chunk=newer))

    patch.setitem(SHARDS.commands, MoveChunk, chunk)  # type: ignore[misc]


def _do_changes_in_any_order(patch: pytest.MonkeyPatch) -> None:
    def catch_up(keyspace: Keyspace, shard: ShardId, changes: Changes) -> bool:
        held = moving._touched(keyspace, shard)
        for number, effects in enumerate(changes.effects, start=changes.first):
            moving._do(keyspace, shard, [each for each in effects if each[0] <= held.cursor])
            held.changes = max(held.changes, number)
        return True

    patch.setattr(moving, "_catch_up", catch_up)


def _unfreeze_unasked(patch: pytest.MonkeyPatch) -> None:
    def abort(keyspace: Keyspace, command: MoveAbort) -> Result:
        if moving._at_source(keyspace, command.shard, command.epoch) is None:
            return VOID
        moving._give_up(keyspace, command.shard, moving._touched(keyspace, command.shard))
        keyspace.wake()
        return OK

    patch.setitem(SHARDS.commands, MoveAbort, abort)  # type: ignore[misc]


def _leave_the_clock(patch: pytest.MonkeyPatch) -> None:
    right = SHARDS.commands[MoveActivate]

    def activate(keyspace: Keyspace, command: MoveActivate) -> Result:
        frozen = structs.replace(command.frozen, clock_ms=0)
        return right(keyspace, structs.replace(command, frozen=frozen))

    patch.setitem(SHARDS.commands, MoveActivate, activate)  # type: ignore[misc]


def _accept_anything(patch: pytest.MonkeyPatch) -> None:
    def accept(keyspace: Keyspace, command: MoveAccept) -> Result:
        held = moving._touched(keyspace, command.shard)
        moving._empty(keyspace, command.shard, held, held.floor)
        held.phase, held.epoch, held.partner = Phase.IMPORTING, command.epoch, command.source
        return OK

    patch.setitem(SHARDS.commands, MoveAccept, accept)  # type: ignore[misc]


def _keep_the_old_copy(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Keyspace, "drop", lambda *_: None)


def _sweep_what_sleeps(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Holdings, "sleeps", lambda *_: False)


def _answer_without_recording(patch: pytest.MonkeyPatch) -> None:
    def resolve(keyspace: Keyspace, command: MoveResolve) -> Result:
        return moving._outcome(keyspace, command.shard, command.epoch) or REJECTED

    patch.setitem(SHARDS.commands, MoveResolve, resolve)  # type: ignore[misc]


STEPS = 80


def told(seed: int) -> None:
    draw = Prng(seed)
    story = Story()
    for _ in range(STEPS):
        story.step(draw.below(16), draw.below(6), draw.below(1 << 16))
        story.check()
    story.finish()
    story.check()
    assert all(same_rows(side) for side in story.sides)


@pytest.mark.parametrize(
    ("plant", "seed"),
    [
        (_serve_frozen, 0),
        (_leave_sessions, 0),
        (_take_older_views, 0),
        (_do_changes_in_any_order, 185),
        (_unfreeze_unasked, 169),
        (_leave_the_clock, 10),
        (_accept_anything, 1),
        (_keep_the_old_copy, 2),
        (_sweep_what_sleeps, 0),
        (_answer_without_recording, 2),
    ],
)
def test_a_rule_that_is_not_kept_is_noticed(
    monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None], seed: int
) -> None:
    told(seed)
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        told(seed)
