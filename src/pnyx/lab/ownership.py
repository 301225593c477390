"""What must hold of shards on several groups: who serves them, what moves, and what stays.

Judged entry by entry, in the order in which entries were agreed on. Nothing here asks the rules of
a move: who serves a shard is followed from results, a copy is compared row by row, and what a
command must answer is told by one map of all keys, whichever group has them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from pnyx.ids import Epoch, GroupId, ShardId
from pnyx.lab.invariants.invariant import Invariant, Mark, Marks
from pnyx.lab.onehistory import OneHistory
from pnyx.lab.seat import Seat
from pnyx.machine.commands import AnyCommand
from pnyx.machine.directives import MoveCommitted, MoveFailed
from pnyx.machine.group import Group
from pnyx.machine.holdings import LATER, WRONG_SHARD, Phase, Shard, slots_of
from pnyx.machine.moves import (
    FoundShards,
    MoveActivate,
    MoveFreeze,
    MoveRejected,
    MoveResolve,
)
from pnyx.machine.moving import ACTIVATED, REJECTED
from pnyx.machine.results import OK, Result
from pnyx.machine.rows import KIND_DATA, KIND_SESSION
from pnyx.machine.shards import shard_of_slot

ONE_SERVER: Final = Invariant(
    "one_group_serves_a_shard",
    "sharding: (shard, epoch) names who serves",
    "Two groups that serve a shard in one epoch both acknowledge writes to it.",
    Mark("shard_served_elsewhere", "A shard was served by a second group."),
)
SERVED_WHERE_HELD: Final = Invariant(
    "done_only_where_served",
    "sharding: a request is checked again when it is applied",
    "A write that a group does after it gave the shard away is acknowledged and lost.",
    Mark("wrong_shard_in_the_log", "A command reached a group's log after its shard had left."),
)
EPOCHS_GROW: Final = Invariant(
    "epochs_and_floors_grow",
    "sharding: floor, for ever",
    "A late message of an old attempt would be taken for one of the present attempt.",
    Mark("attempt_given_up", "An attempt ended without the shard changing hands."),
)
COPY_IS_WHOLE: Final = Invariant(
    "copy_equals_source",
    "sharding: steps 5 and 6",
    "What the destination serves is what clients were told, keys and sessions, or it is lost.",
    Mark("shard_with_rows_moved", "A shard with keys in it was activated at its destination."),
)
SOURCE_FOLLOWS: Final = Invariant(
    "source_follows_the_destination",
    "sharding: the destination's log is the arbiter",
    "A source that decides by itself deletes the only copy, or serves beside the destination.",
    Mark("shard_rejected_after_freeze", "A frozen shard was served by its source again."),
)
OLD_COPY_GONE: Final = Invariant(
    "old_copy_gone_with_its_entry",
    "sharding: step 7",
    "Rows that stay behind come back to life when the shard returns, or fill the disk.",
    Mark("copy_deleted", "A replica gave up a shard that had rows."),
)
DIRECTORY_FOLLOWS: Final = Invariant(
    "directory_follows_the_log",
    "sharding: step 8",
    "A directory ahead of the destination's log sends clients where nobody serves.",
    Mark("move_reported", "The controller was told that a move is over."),
)
CLOCK_MOVES: Final = Invariant(
    "clock_moves_along",
    "sharding: a shard's clock",
    "A key that has expired comes back at a group whose clock is behind.",
    Mark("moved_to_a_slower_clock", "A shard came to a group whose committed time was behind."),
)
ATLAS_GROWS: Final = Invariant(
    "atlas_never_goes_back",
    "sharding: nodes believe the highest epoch",
    "A node that believes what was so before sends its clients where nobody serves.",
    Mark("atlas_followed_a_move", "A node learned that a shard has changed hands."),
)
ONE_HISTORY: Final = Invariant(
    "effects_follow_one_history",
    "sharding: exactly once, over all groups and configurations",
    "A write that is done at two groups, or at none, is not what its client was told.",
    Mark("retry_at_another_group", "A session's write came again, and got its first answer."),
)
INVARIANTS: Final = (
    ONE_SERVER,
    SERVED_WHERE_HELD,
    EPOCHS_GROW,
    COPY_IS_WHOLE,
    SOURCE_FOLLOWS,
    OLD_COPY_GONE,
    DIRECTORY_FOLLOWS,
    CLOCK_MOVES,
    ATLAS_GROWS,
    ONE_HISTORY,
)

Attempt: TypeAlias = tuple[ShardId, Epoch]


@dataclass(frozen=True, slots=True)
class Done:
    """One entry of a group's log, and what it did."""

    group: GroupId
    index: int
    commands: Sequence[AnyCommand]
    results: Sequence[Result]
    before: Sequence[Shard]
    """What the group had of each shard before it; nothing of the controller."""
    state: Group
    """After it."""


@dataclass(frozen=True, slots=True)
class _Stilled:
    """A shard as it was when its source froze it."""

    rows: dict[bytes, bytes]
    clock_ms: int


@dataclass(slots=True)
class Ownership:
    """Of all groups of a world; only grows."""

    shards: int
    marks: Marks
    history: OneHistory = field(default_factory=OneHistory)
    served: dict[Attempt, GroupId] = field(default_factory=dict)
    """By shard and epoch, who serves or served it."""
    stilled: dict[Attempt, _Stilled] = field(default_factory=dict)
    rejected: set[Attempt] = field(default_factory=set)

    def judge(self, done: Done) -> None:
        """Judge an entry by what it did.

        Raises:
            Violation: it must not have.
        """
        if not done.before:
            self._judge_reports(done)
            return
        serving = [shard.served for shard in done.before]
        for command, result in zip(done.commands, done.results, strict=True):
            self._follow(done, command, result, serving)
            self._judge_request(done, command, result, serving)
        for number in range(self.shards):
            held = done.state.shard(ShardId(number))
            assert held is not None, "a divided group knows all shards"
            self._judge_step(done, ShardId(number), done.before[number], held)

    # Entries of a move.

    def _follow(self, done: Done, command: AnyCommand, result: Result, serving: list[bool]) -> None:
        """Know who serves what, by results alone."""
        match command:
            case FoundShards() if result == OK:
                for shard in command.shards:
                    self._serves(done, shard, command.epoch)
                    serving[shard] = True
            case MoveFreeze() if isinstance(result, bytes):
                serving[command.shard] = False
                attempt = (command.shard, command.epoch)
                if attempt not in self.stilled:
                    rows = rows_of(done.state, command.shard, self.shards)
                    self.stilled[attempt] = _Stilled(rows, done.state.clock_ms)
            case MoveActivate() if result == ACTIVATED:
                if self._activated(done, command.shard, command.epoch):
                    serving[command.shard] = True
            case MoveActivate() | MoveResolve() if result == REJECTED:
                self.rejected.add((command.shard, command.epoch))
            case MoveRejected() if result == OK:
                serving[command.shard] = True
                self.marks.hit(SOURCE_FOLLOWS.sometimes)
            case _:
                pass

    def _activated(self, done: Done, shard: ShardId, epoch: Epoch) -> bool:
        """Return whether the shard is served since now: who asks again is told so again."""
        following = (shard, Epoch(epoch + 1))
        if self.served.get(following) == done.group:
            return False
        where = f"group {done.group} activated shard {shard} of epoch {epoch}"
        stilled = self.stilled.get((shard, epoch))
        if stilled is None:
            raise SOURCE_FOLLOWS.broken(f"{where}, and no source had frozen it")
        if (shard, epoch) in self.rejected:
            raise SOURCE_FOLLOWS.broken(f"{where}, which was rejected before")
        self._serves(done, shard, following[1])
        rows = rows_of(done.state, shard, self.shards)
        # Whoever asks for one of its keys in the same entry has changed it by now.
        asked = {slot for command in done.commands for slot in slots_of(command)}
        wrong = dict(rows.items() ^ stilled.rows.items())
        if wrong and shard not in {shard_of_slot(slot, self.shards) for slot in asked}:
            raise COPY_IS_WHOLE.broken(
                f"{where} with {len(rows)} rows, its source had {len(stilled.rows)}; "
                f"{len(wrong)} differ, the first is {min(wrong)!r}"
            )
        if rows:
            self.marks.hit(COPY_IS_WHOLE.sometimes)
        if done.state.clock_ms < stilled.clock_ms:
            raise CLOCK_MOVES.broken(
                f"{where}; its clock shows {done.state.clock_ms}, that of the source had come to "
                f"{stilled.clock_ms}"
            )
        if done.state.clock_ms == stilled.clock_ms:
            self.marks.hit(CLOCK_MOVES.sometimes)
        return True

    def _serves(self, done: Done, shard: ShardId, epoch: Epoch) -> None:
        before = self.served.setdefault((shard, epoch), done.group)
        if before != done.group:
            raise ONE_SERVER.broken(
                f"group {done.group} serves shard {shard} in epoch {epoch} since its entry "
                f"{done.index}; so does group {before}"
            )

    def _judge_step(self, done: Done, shard: ShardId, before: Shard, after: Shard) -> None:
        where = f"group {done.group}, by its entry {done.index},"
        if after.floor < before.floor or (after.served and before.epoch > after.epoch):
            raise EPOCHS_GROW.broken(
                f"{where} took shard {shard} from epoch {before.epoch} and floor {before.floor} "
                f"back to {after.epoch} and {after.floor}"
            )
        if after.served and after.epoch != before.epoch:
            if before.phase is Phase.EXPORTING or before.phase is Phase.FROZEN:
                self.marks.hit(EPOCHS_GROW.sometimes)
            if self.served.get((shard, Epoch(after.epoch - 1)), done.group) != done.group:
                self.marks.hit(ONE_SERVER.sometimes)
        if after.served:
            self._serves(done, shard, after.epoch)
        was_leaving = before.phase in {Phase.EXPORTING, Phase.FROZEN}
        if (was_leaving and after.phase is Phase.AWAY) or (
            before.phase is Phase.FROZEN and after.phase is not Phase.FROZEN
        ):
            attempt, following = (shard, before.epoch), (shard, Epoch(before.epoch + 1))
            is_elsewhere = self.served.get(following, done.group) != done.group
            if after.served and attempt not in self.rejected:
                raise SOURCE_FOLLOWS.broken(
                    f"{where} serves shard {shard} again after its freeze in epoch {before.epoch}, "
                    "and no destination has rejected it"
                )
            if not after.served and not is_elsewhere:
                raise SOURCE_FOLLOWS.broken(
                    f"{where} gave shard {shard} of epoch {before.epoch} away, and nobody has it"
                )

    # Requests of clients.

    def _judge_request(
        self, done: Done, command: AnyCommand, result: Result, serving: Sequence[bool]
    ) -> None:
        shards = {shard_of_slot(slot, self.shards) for slot in slots_of(command)}
        if not shards:
            return
        if result == LATER:
            return
        if result == WRONG_SHARD:
            self.marks.hit(SERVED_WHERE_HELD.sometimes)
            return
        away = [shard for shard in shards if not serving[shard]]
        if away:
            raise SERVED_WHERE_HELD.broken(
                f"group {done.group} does {command} in its entry {done.index}, and does not serve "
                f"shard {away[0]}"
            )
        why_not = self.history.add(command, result)
        if why_not:
            raise ONE_HISTORY.broken(f"group {done.group} in its entry {done.index}: {why_not}")
        if self.history.repeated:
            self.marks.hit(ONE_HISTORY.sometimes)

    # The controller, and copies of replicas.

    def _judge_reports(self, done: Done) -> None:
        for command, result in zip(done.commands, done.results, strict=True):
            if result != OK or not isinstance(command, MoveCommitted | MoveFailed):
                continue
            self.marks.hit(DIRECTORY_FOLLOWS.sometimes)
            by = self.served.get((command.shard, command.epoch))
            said = command.group if isinstance(command, MoveCommitted) else by
            if by is None or by != said:
                raise DIRECTORY_FOLLOWS.broken(
                    f"the controller was told {command} in its entry {done.index}; that epoch is "
                    + ("served by nobody" if by is None else f"served by group {by}")
                )

    def look_at_copy(self, seat: Seat, before: Sequence[Shard], now: Sequence[Shard]) -> None:
        """Judge what a replica has of each shard, now and when it was looked at last.

        Raises:
            Violation: an epoch went back, or rows of a shard stay that was given away.
        """
        for number, held in enumerate(now):
            earlier = before[number] if before else None
            if earlier is not None and held.floor < earlier.floor:
                raise EPOCHS_GROW.broken(
                    f"{seat.label} took the floor of shard {number} in group {seat.group} from "
                    f"{earlier.floor} back to {held.floor}"
                )
            if held.phase is not Phase.AWAY:
                continue
            if earlier is None or earlier.phase is not Phase.AWAY:
                if earlier is not None and earlier.keys:
                    self.marks.hit(OLD_COPY_GONE.sometimes)
                rows = rows_of(seat.replica.group, ShardId(number), self.shards)
                if rows:
                    raise OLD_COPY_GONE.broken(
                        f"{seat.label} still has {len(rows)} rows of shard {number}, which group "
                        f"{seat.group} gave away: {min(rows)!r}"
                    )

    def look_at_atlas(self, who: str, before: Sequence[int], now: Sequence[int]) -> None:
        """Judge what a node believes of each shard's epoch, now and when it was looked at last.

        Raises:
            Violation: it believes an older one.
        """
        for shard, (earlier, epoch) in enumerate(zip(before, now, strict=True)):
            if epoch < earlier:
                raise ATLAS_GROWS.broken(
                    f"{who} knew epoch {earlier} of shard {shard}, and believes in {epoch} now"
                )
            if epoch > earlier > 0:
                self.marks.hit(ATLAS_GROWS.sometimes)


def rows_of(group: Group, shard: ShardId, count: int) -> dict[bytes, bytes]:
    """Return the rows of a shard's keys and sessions in a group's state, by key."""
    found: dict[bytes, bytes] = {}
    view = group.view()
    for key, row in view.rows():
        at = int.from_bytes(key[1:3], "big")
        is_key = key[:1] == KIND_DATA and at * count >> 14 == shard
        is_counted = len(key) == len(KIND_SESSION) + 2
        if is_key or (key[:1] == KIND_SESSION and at == shard and not is_counted):
            found[key] = row
    view.close()
    return found
