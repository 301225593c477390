"""A shard on its way to this group: what the group's leader asks for next, until it is served here.

All that must outlive a leader is in the destination's own row of the shard (phase, epoch, cursor,
changes, outcome) and in the source's; what is kept here is how far requests are ahead of that. A
new leader starts from the row.

1. Asks to the source, the controller and reads go one at a time. Chunks and changes are proposed in
   the order in which they were read, several under way, so each finds the cursor that it was read
   for; if one does not, all that were under way are waited for and reading starts from the row.
2. Any replica of the source may be read. One that is behind what was read before is not believed:
   then the log's own order is asked for, once.
3. The source is frozen when next to nothing is left to be copied, so how long nobody serves the
   shard does not depend on how large it is.
"""

from enum import StrEnum

import msgspec

from pnyx.ids import Epoch, GroupId, ShardId
from pnyx.machine import moves as m
from pnyx.machine.commands import AnyCommand
from pnyx.machine.configuration import NOBODY
from pnyx.machine.directives import MoveCommitted
from pnyx.machine.holdings import COPIED, Phase, Shard
from pnyx.machine.moving import ACTIVATED, REJECTED
from pnyx.machine.results import OK, Result
from pnyx.replica.asks import Ask, result_of, why_not
from pnyx.replica.budget import Budget
from pnyx.replica.effects import NEVER
from pnyx.replica.limits import MigrationLimits
from pnyx.replica.requests import Answer


class Stage(StrEnum):
    """How far a move has come, for people."""

    PLANNED = "planned"
    COPYING = "copying"
    CATCHING_UP = "catching up"
    """All rows are here; the changes that came meanwhile are not."""
    FREEZING = "freezing"
    """Nobody serves the shard."""
    ACTIVATED = "activated"
    """Served here; the controller does not know yet."""
    REJECTED = "rejected"


class Progress(msgspec.Struct, frozen=True):
    """How one move is getting on, or ended."""

    shard: ShardId
    epoch: Epoch
    source: GroupId
    destination: GroupId
    stage: Stage
    keys: int
    """In the copy."""
    copied_bytes: int
    """Of rows and changes that this leader has read."""
    changes: int
    """Of the change log, done so far."""
    elapsed_ms: int
    """Since this leader took the move up."""
    freeze_ms: int
    """From the request to freeze until it was served here; 0 before."""
    why: str
    """Why it waits; empty while it does not."""


class Arrival:
    """One attempt, (shard, epoch), at its destination."""

    __slots__ = (
        "_after",
        "_asked",
        "_begun",
        "_budget",
        "_changes",
        "_chunks",
        "_failures",
        "_forgotten",
        "_freeze_ms",
        "_frozen",
        "_frozen_ms",
        "_is_close",
        "_is_lost",
        "_is_prompt",
        "_last",
        "_limits",
        "_looks",
        "_me",
        "_proposed",
        "_ready",
        "_retry_ms",
        "_silent",
        "_since_ms",
        "_stale",
        "_unforgotten_bytes",
        "copied_bytes",
        "epoch",
        "shard",
        "source",
        "why",
    )

    def __init__(
        self,
        shard: ShardId,
        epoch: Epoch,
        *,
        source: GroupId,
        me: GroupId,
        limits: MigrationLimits,
        budget: Budget,
        now_ms: int,
    ) -> None:
        self.shard = shard
        self.epoch = epoch
        self.source = source
        self.why = ""
        self.copied_bytes = 0
        self._me = me
        self._limits = limits
        self._budget = budget
        self._since_ms = now_ms
        self._begun = False
        """Has the source said so, or the row?"""
        self._asked: Ask | None = None
        self._ready: list[Ask] = []
        """Proposals that wait for the next turn."""
        self._proposed: dict[Ask, int] = {}
        """Their bytes."""
        self._is_lost = True
        """Is what is read next to be taken from the row, once nothing is under way?"""
        self._after = b""
        self._changes = 0
        """What was read up to."""
        self._chunks = 0
        """Since the change log was looked at."""
        self._is_close = False
        """Was next to nothing left when last looked?"""
        self._is_prompt = False
        """Has the source's log answered since then?"""
        self._looks = 0
        """At the change log since all rows were here."""
        self._stale = True
        self._frozen: m.Frozen | None = None
        self._last: m.Changes | None = None
        """The last changes of a frozen shard; None: to be read."""
        self._unforgotten_bytes = 0
        self._forgotten = 0
        self._frozen_ms = 0
        self._freeze_ms = 0
        self._failures = 0
        self._silent: GroupId | None = None
        self._retry_ms = 0

    # What is asked.

    def wanted(self, held: Shard, now_ms: int) -> list[Ask]:
        """Return what is to be submitted now, in this order; `held` is the row as applied."""
        self._stop_waiting(now_ms)
        asks, self._ready = self._ready, []
        if self._asked is None and now_ms >= self._retry_ms:
            self._retry_ms = 0
            self._asked = self._next(held, now_ms)
            if self._asked is not None:
                asks.append(self._asked)
                if type(self._asked.commands[0]) is MoveCommitted:
                    # A courtesy: the source finds it out from the directory otherwise.
                    asks.append(self._ask(self.source, m.MoveDone(self.shard, self.epoch)))
        for ask in asks:
            ask.asked_ms = now_ms
        return asks

    @property
    def waits(self) -> bool:
        """Does what it wants not work at the moment?"""
        return self._failures > 1

    @property
    def silent(self) -> GroupId | None:
        """Which group was asked more than once and gave no result, whatever it is asked for."""
        return self._silent if self.waits else None

    @property
    def is_under_way(self) -> bool:
        """Is an answer to anything of it open?"""
        return self._asked is not None or bool(self._proposed)

    @property
    def deadline_ms(self) -> int:
        """When it is to be looked at again if no answer comes."""
        if self._asked is not None:
            return self._asked.asked_ms + self._limits.patience_ms
        return self._retry_ms or NEVER

    def progress(self, held: Shard, now_ms: int) -> Progress:
        """Say how it is getting on."""
        return Progress(
            self.shard,
            self.epoch,
            self.source,
            self._me,
            self._stage(held),
            held.keys,
            self.copied_bytes,
            held.changes,
            now_ms - self._since_ms,
            self._freeze_ms,
            self.why,
        )

    def _stage(self, held: Shard) -> Stage:
        if held.outcome is not None and held.outcome[0] == self.epoch:
            return Stage.ACTIVATED if held.outcome[1] else Stage.REJECTED
        if not self._is_importing(held):
            return Stage.PLANNED
        if self._frozen_ms:
            return Stage.FREEZING
        return Stage.CATCHING_UP if held.cursor == COPIED else Stage.COPYING

    def _is_importing(self, held: Shard) -> bool:
        return held.phase is Phase.IMPORTING and held.epoch == self.epoch

    def _next(self, held: Shard, now_ms: int) -> Ask | None:
        shard, epoch = self.shard, self.epoch
        if held.outcome is not None and held.outcome[0] == epoch:
            if not held.outcome[1]:
                return self._ask(self.source, m.MoveRejected(shard, epoch))
            return self._ask(NOBODY, MoveCommitted(shard, Epoch(epoch + 1), self._me))
        if self._is_importing(held):
            return self._fill(held, now_ms)
        if not self._begun:
            return self._ask(self.source, m.MoveBegin(shard, epoch, self._me))
        return self._ask(self._me, m.MoveAccept(shard, epoch, self.source))

    def _fill(self, held: Shard, now_ms: int) -> Ask | None:
        self._follow(held)
        if self._is_lost or sum(self._proposed.values()) >= self._limits.under_way_bytes:
            return None
        if self._unforgotten_bytes >= self._limits.forget_bytes and held.changes > self._forgotten:
            self._unforgotten_bytes, self._forgotten = 0, held.changes
            return self._ask(self.source, m.MoveForget(self.shard, self.epoch, held.changes))
        return self._copy(now_ms) if self._frozen is None else self._finish(self._frozen)

    def _follow(self, held: Shard) -> None:
        """Read on from the row if something that was read did not get there."""
        is_there = (held.cursor, held.changes) == (self._after, self._changes)
        if not self._proposed and (self._is_lost or not is_there):
            self._is_lost = False
            self._after, self._changes = held.cursor, held.changes
            self._is_close, self._is_prompt = False, False
            self._frozen, self._last = None, None

    def _copy(self, now_ms: int) -> Ask | None:
        limits = self._limits
        if self._after != COPIED and self._chunks < limits.chunks_a_look:
            if not self._budget.has_room(now_ms):
                return None
            read = m.ReadChunk(self.shard, self.epoch, self._after, limits.chunk_bytes)
            return self._ask(self.source, read, stale=self._stale)
        if not self._is_close:
            return self._read_changes()
        if self._proposed:
            return None
        if not self._is_prompt:
            # What the copy left to the source's disk is waited for before nobody serves it.
            return self._ask(self.source, m.MoveForget(self.shard, self.epoch, self._changes))
        self._frozen_ms = self._frozen_ms or now_ms
        return self._ask(self.source, m.MoveFreeze(self.shard, self.epoch))

    def _finish(self, frozen: m.Frozen) -> Ask:
        if self._last is None:
            return self._read_changes()
        return self._ask(self._me, m.MoveActivate(self.shard, self.epoch, frozen, self._last))

    def _read_changes(self) -> Ask:
        size = self._limits.chunk_bytes
        read = m.ReadChanges(self.shard, self.epoch, self._changes, size)
        return self._ask(self.source, read, stale=self._stale)

    def _ask(self, group: GroupId, command: AnyCommand, *, stale: bool = False) -> Ask:
        return Ask(self._me, group, (command,), self.shard, self.epoch, stale)

    # What is answered.

    def answered(self, ask: Ask, answer: Answer, now_ms: int) -> None:
        """Take in an answer; one that came already, or too late, says nothing."""
        result = result_of(answer)
        if self._proposed.pop(ask, None) is not None:
            if result != OK:
                self._is_lost = True
                self._failed(ask, answer, now_ms)
        elif ask is self._asked:
            self._asked = None
            if not self._took(ask, result, now_ms):
                self._failed(ask, answer, now_ms)
            elif self._stale or not ask.stale:
                # A read that is to be made again in the log's order has led to nothing yet.
                self._failures, self.why = 0, ""

    def _took(self, ask: Ask, result: Result, now_ms: int) -> bool:
        """Return whether it is what was hoped for."""
        match ask.commands[0]:
            case m.ReadChunk() | m.ReadChanges():
                return self._took_read(ask, result, now_ms)
            case m.MoveFreeze():
                return self._took_freeze(result)
            case m.MoveActivate():
                return self._took_activation(result, now_ms)
            case MoveCommitted() | m.MoveRejected():
                # What comes of it is seen in the directory, soon.
                self._retry_ms = now_ms + self._limits.retry_ms_max
                return result is not None
            case m.MoveForget():
                self._is_prompt = self._is_close and result == OK
                return result == OK
            case command:
                self._begun = self._begun or (type(command) is m.MoveBegin and result == OK)
                return result == OK

    def _took_read(self, ask: Ask, result: Result, now_ms: int) -> bool:
        if self._is_lost:
            # Nobody wants it any more.
            return True
        if not isinstance(result, bytes):
            return self._doubt(ask)
        if type(ask.commands[0]) is m.ReadChunk:
            return self._took_chunk(ask, m.decode_chunk(result), now_ms)
        return self._took_changes(ask, m.decode_changes(result), now_ms)

    def _doubt(self, ask: Ask) -> bool:
        """A replica is behind: ask in the log's order next; False if that was done."""
        self._stale = not ask.stale
        return ask.stale

    def _took_chunk(self, ask: Ask, chunk: m.Chunk, now_ms: int) -> bool:
        if chunk.at < self._changes:
            return self._doubt(ask)
        self._stale = True
        size = sum(len(key) + len(row) for key, row in chunk.rows)
        self._budget.take(size, now_ms)
        self._propose(m.MoveChunk(self.shard, self.epoch, chunk), size, now_ms)
        self._after = chunk.upto
        self._chunks += 1
        return True

    def _took_changes(self, ask: Ask, changes: m.Changes, now_ms: int) -> bool:
        reached = changes.first + len(changes.effects) - 1
        size = sum(len(key) + len(row or b"") for each in changes.effects for key, row in each)
        self._chunks = 0
        self._stale = True
        if self._frozen is not None:
            if reached >= self._frozen.changes:
                self._last = changes
                return True
            if not changes.effects:
                return self._doubt(ask)
        self._is_close = self._after == COPIED and self._is_little(changes, size)
        if changes.effects:
            self._budget.take(size, now_ms)
            self._unforgotten_bytes += size
            self._propose(m.MoveChanges(self.shard, self.epoch, changes), size, now_ms)
            self._changes = reached
        return True

    def _is_little(self, changes: m.Changes, size: int) -> bool:
        self._looks += 1
        allowed = self._limits.freeze_bytes << min(self._looks // self._limits.freeze_looks, 4)
        return size + m.ROW_BYTES * len(changes.effects) <= allowed

    def _took_freeze(self, result: Result) -> bool:
        if not isinstance(result, bytes):
            self._is_lost = True
            self._frozen_ms = self._frozen_ms if result is None else 0
            return False
        self._frozen = m.decode_frozen(result)
        if self._frozen.changes <= self._changes:
            self._last = m.Changes(self._changes + 1, ())
        return True

    def _took_activation(self, result: Result, now_ms: int) -> bool:
        if result == ACTIVATED:
            self._freeze_ms = max(1, now_ms - self._frozen_ms)
        elif result != REJECTED:
            self._is_lost = True
            return False
        return True

    def _propose(self, command: m.MoveChunk | m.MoveChanges, size: int, now_ms: int) -> None:
        self.copied_bytes += size
        ask = self._ask(self._me, command)
        ask.asked_ms = now_ms
        self._proposed[ask] = size
        self._ready.append(ask)

    def _failed(self, ask: Ask, answer: Answer | None, now_ms: int) -> None:
        limits = self._limits
        self.why = why_not(ask.group, answer)
        self._silent = ask.group if answer is None or result_of(answer) is None else None
        pause_ms = min(limits.retry_ms << min(self._failures, 10), limits.retry_ms_max)
        self._failures += 1
        self._retry_ms = now_ms + pause_ms

    def _stop_waiting(self, now_ms: int) -> None:
        before_ms = now_ms - self._limits.patience_ms
        if self._asked is not None and self._asked.asked_ms <= before_ms:
            asked, self._asked = self._asked, None
            self._failed(asked, None, now_ms)
        late = [ask for ask in self._proposed if ask.asked_ms <= before_ms]
        for ask in late:
            del self._proposed[ask]
            self._is_lost = True
