"""What one node knows of the controller's two maps: who should serve a shard, and who does.

What is known comes from several mouths, late and twice, so taking it in is a rule that no order can
upset: of configurations the newest number counts, of each shard the highest epoch. A node that was
away for ten configurations, or a controller that was, can hurt nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pnyx.ids import GroupId, NodeId, ShardId
from pnyx.machine.configuration import (
    NOBODY,
    Configuration,
    Directory,
    Placement,
    Serving,
    decode_configuration,
    decode_directory,
)
from pnyx.machine.directives import Query, Whereabouts
from pnyx.machine.results import Result
from pnyx.machine.shards import shard_of_slot
from pnyx.replica.messages import News

READ: Final = (Query(), Whereabouts())
"""What the controller is asked for both maps; `Atlas.read` takes the results."""
UNKNOWN: Final = -1
"""The number before any configuration is known."""


@dataclass(slots=True)
class Atlas:
    """One node's. Whoever keeps something that follows from it compares `version`."""

    configuration: Configuration | None = None
    version: int = 0
    """Grows whenever something is learned."""
    placements: dict[GroupId, Placement] = field(default_factory=dict)
    """Of all groups that serve or should: those of the configuration, then those still leaving."""
    retired: frozenset[GroupId] = frozenset()
    """Groups that never come back."""
    _serving: list[Serving] = field(default_factory=list)
    _leaving: dict[GroupId, Placement] = field(default_factory=dict)

    # What is known.

    @property
    def number(self) -> int:
        """The newest configuration's, `UNKNOWN` before the first."""
        return UNKNOWN if self.configuration is None else self.configuration.number

    @property
    def shards(self) -> int:
        """How many there are; 0 as long as no configuration is known."""
        return len(self._serving)

    @property
    def moved(self) -> int:
        """Grows with every step of every shard: with `number`, says which of two knows more."""
        return sum(map(_step, self._serving))

    def serving(self, shard: ShardId) -> Serving:
        """Return who serves a shard, in which epoch, and where it is on its way to."""
        return self._serving[shard]

    def owner(self, shard: ShardId) -> GroupId:
        """Return who serves a shard now; `NOBODY` if nobody does."""
        return self._serving[shard].group

    @property
    def owners(self) -> tuple[GroupId, ...]:
        """Who serves each shard now."""
        return tuple([serving.group for serving in self._serving])

    def group_of_slot(self, slot: int) -> GroupId:
        """Return who serves a slot now; `NOBODY` if nobody does or nothing is known."""
        count = len(self._serving)
        return self.owner(ShardId(shard_of_slot(slot, count))) if count else NOBODY

    def undecided(self) -> list[tuple[ShardId, Serving]]:
        """Return the shards whose move is not over, ascending."""
        return [
            (ShardId(shard), serving)
            for shard, serving in enumerate(self._serving)
            if serving.destination != NOBODY
        ]

    # What is learned.

    def take(self, configuration: Configuration, directory: Directory) -> bool:
        """Take in what somebody knows of both; return whether any of it was new."""
        before = (self.number, self.retired, self._leaving, list(self._serving))
        leaving = {placement.group: placement for placement in directory.leaving}
        if configuration.number > self.number:
            self.configuration, self._leaving = configuration, leaving
        elif configuration.number == self.number:
            # Within one configuration groups only finish leaving.
            self._leaving = {group: leaving[group] for group in self._leaving if group in leaving}
        self.retired |= frozenset(directory.retired)
        if not self._serving:
            self._serving = list(directory.shards)
        for shard, (held, said) in enumerate(zip(self._serving, directory.shards, strict=True)):
            if _step(said) > _step(held):
                self._serving[shard] = said
        if before == (self.number, self.retired, self._leaving, self._serving):
            return False
        self.version += 1
        assert self.configuration is not None, "the first one said is newer than none"
        current = {placement.group: placement for placement in self.configuration.placements}
        self.placements = self._leaving | current
        return True

    def read(self, results: Sequence[Result]) -> bool:
        """Take in the results of `READ`; return whether any of it was new."""
        configuration, directory = results
        if not isinstance(configuration, bytes) or not isinstance(directory, bytes):
            # Not founded yet.
            return False
        return self.take(decode_configuration(configuration), decode_directory(directory))

    def news(self, members: tuple[NodeId, ...]) -> News | None:
        """Return all of it, to be told by one of the controller's `members`; None if nothing."""
        if self.configuration is None:
            return None
        directory = Directory(
            tuple(self._serving),
            tuple([self._leaving[group] for group in sorted(self._leaving)]),
            retired=tuple(sorted(self.retired)),
        )
        return News(self.configuration, directory, members)


def _step(serving: Serving) -> int:
    # Within one epoch a shard only gets a destination, and keeps it until the epoch ends.
    return 2 * serving.epoch + (serving.destination != NOBODY)
