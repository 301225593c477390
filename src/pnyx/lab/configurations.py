"""Judges a controller: what its replicas hold, after each entry that one of them applied.

Nothing here asks the rules that made a configuration. What the fewest moves are is counted in
another way than rebalancing does it, and what one replica held is what every other must hold.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from pnyx.ids import Epoch, GroupId, ShardId
from pnyx.lab.invariants.invariant import Invariant, Mark, Marks
from pnyx.lab.process import Process
from pnyx.lab.seat import Seat
from pnyx.lab.watch import Watch
from pnyx.machine.configuration import (
    NOBODY,
    Configuration,
    Directory,
    decode_configuration,
    decode_directory,
    moved,
)
from pnyx.machine.controller import CONTROLLER
from pnyx.machine.directives import Query, Whereabouts
from pnyx.machine.group import Group

NUMBERS: Final = Invariant(
    "configuration_numbers_without_gaps",
    "MIT 6.5840 lab 5A",
    "Who follows configurations one by one waits for ever at a number that there is not.",
    Mark("configuration_made", "A configuration followed another."),
)
AGREED: Final = Invariant(
    "configurations_agree",
    "MIT 6.5840 lab 5A",
    "Two maps of one number would give a shard to two groups.",
    Mark("configuration_compared", "Another replica held a configuration that one had held."),
)
ONE_OWNER: Final = Invariant(
    "one_owner_a_shard",
    "sharding: epochs",
    "Two groups that serve a shard both acknowledge writes to it.",
    Mark("shard_changed_hands", "A shard went from one group to another."),
)
BALANCED: Final = Invariant(
    "groups_are_balanced",
    "MIT 6.5840 lab 5A",
    "A group with two shards more than another does work that the other could do.",
    Mark("rebalanced_with_a_rest", "The shards could not be divided by the groups evenly."),
)
FEWEST_MOVES: Final = Invariant(
    "fewest_moves",
    "the original text: exactly as many as groups have too much",
    "Each shard that moves without need is copied, and waits while it changes hands.",
    Mark("shards_stayed", "A group joined or left, and shards of other groups stayed."),
)
INVARIANTS: Final = (NUMBERS, AGREED, ONE_OWNER, BALANCED, FEWEST_MOVES)


class Configurations(Watch):
    """Sees all replicas of one controller."""

    def __init__(self, marks: Marks | None = None) -> None:
        """Count into `marks`, or into new ones."""
        self.marks = marks if marks is not None else Marks()
        self.made: list[Configuration] = []
        """By number, as it was held first."""
        self._served: dict[tuple[ShardId, Epoch], GroupId] = {}
        """Who served a shard in which epoch, as it was held first."""
        self._seen: dict[tuple[int, int], int] = {}
        """By node and life, the entry up to which its state was looked at."""

    def touched(self, seat: Seat) -> None:
        """Look at what was applied there since."""
        if seat.replica.group.machine is not CONTROLLER:
            return
        group, key = seat.replica.group, (seat.number, seat.life)
        if group.applied.index > self._seen.get(key, 0):
            is_new = key not in self._seen
            self._seen[key] = group.applied.index
            self._look(seat.label, group, whole=is_new)

    def finish(self, processes: Iterable[Process]) -> None:
        """Look at everything that everybody holds."""
        for process in processes:
            for seat in process.seats.values():
                if seat.replica.group.machine is CONTROLLER:
                    self._look(process.label, seat.replica.group, whole=True)

    def _look(self, who: str, group: Group, *, whole: bool) -> None:
        newest, directory = read_maps(group)
        if newest is None or directory is None:
            return
        known = len(self.made)
        first = 0 if whole else min(newest.number, known)
        for number in range(first, newest.number + 1):
            held = _held(group, number)
            if held is None or held.number != number:
                raise NUMBERS.broken(
                    f"{who} has configuration {newest.number} and none of number {number}"
                )
            self._compare(who, held)
        self._look_at_directory(who, newest, directory)

    def _compare(self, who: str, held: Configuration) -> None:
        if held.number < len(self.made):
            if held != self.made[held.number]:
                raise AGREED.broken(
                    f"{who} holds {held} as configuration {held.number}; somebody held "
                    f"{self.made[held.number]}"
                )
            self.marks.hit(AGREED.sometimes)
            return
        if self.made:
            self.marks.hit(NUMBERS.sometimes)
            self._judge_step(self.made[-1], held)
        self.made.append(held)

    def _judge_step(self, before: Configuration, after: Configuration) -> None:
        wrong = [target for target in after.targets if target not in (after.groups or (NOBODY,))]
        if wrong or len(after.targets) != len(before.targets):
            raise ONE_OWNER.broken(f"configuration {after.number} gives shards to {wrong}: {after}")
        if before.placements == after.placements:
            # An operator's move of one shard: as uneven as he wants it.
            return
        loads = [after.targets.count(group) for group in after.groups]
        if loads and max(loads) - min(loads) > 1:
            raise BALANCED.broken(f"configuration {after.number} has loads {loads}")
        if loads and max(loads) > min(loads):
            self.marks.hit(BALANCED.sometimes)
        used, fewest = (
            len(moved(before.targets, after.targets)),
            fewest_moves(before.targets, after.groups),
        )
        if used != fewest:
            raise FEWEST_MOVES.broken(
                f"configuration {after.number} moves {used} shards, {fewest} are enough"
            )
        if 0 < used < len(after.targets):
            self.marks.hit(FEWEST_MOVES.sometimes)

    def _look_at_directory(self, who: str, newest: Configuration, directory: Directory) -> None:
        known = {*newest.groups, *(placement.group for placement in directory.leaving), NOBODY}
        for number, serving in enumerate(directory.shards):
            shard = ShardId(number)
            first = self._served.setdefault((shard, serving.epoch), serving.group)
            if serving.group != first:
                raise ONE_OWNER.broken(
                    f"by {who}, group {serving.group} serves shard {shard} in epoch "
                    f"{serving.epoch}; by somebody else it was group {first}"
                )
            if not {serving.group, serving.destination} <= known:
                raise ONE_OWNER.broken(f"{who} does not know where the groups of {serving} live")
            before = self._served.get((shard, Epoch(serving.epoch - 1)), NOBODY)
            if before not in {NOBODY, serving.group}:
                self.marks.hit(ONE_OWNER.sometimes)


def read_maps(group: Group) -> tuple[Configuration | None, Directory | None]:
    """Return the newest configuration and the directory in a replica's state, None before both."""
    results = group.read((Query(), Whereabouts()), 0)
    assert results is not None, "no key of a controller expires"
    newest, directory = results
    if not isinstance(newest, bytes) or not isinstance(directory, bytes):
        return None, None
    return decode_configuration(newest), decode_directory(directory)


def fewest_moves(targets: Sequence[GroupId], groups: Sequence[GroupId]) -> int:
    """Return how many shards must leave their group if the loads are to differ by one at most.

    Counted from what can stay: in each group up to the smaller quota, and one more in as many
    groups as have the larger one.
    """
    owned = sum(target != NOBODY for target in targets)
    if not groups:
        return owned
    least, larger = divmod(len(targets), len(groups))
    loads = [targets.count(group) for group in groups]
    stay = sum(min(load, least) for load in loads)
    return owned - stay - min(larger, sum(load > least for load in loads))


def _held(group: Group, number: int) -> Configuration | None:
    results = group.read((Query(number),), 0)
    assert results is not None, "no key of a controller expires"
    return decode_configuration(results[0]) if isinstance(results[0], bytes) else None
