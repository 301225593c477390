"""Judges shards on several groups: the agreed log of each, replayed entry by entry, side by side.

What an entry did is seen in a replay of its log alone, so neither batches nor lagging replicas blur
it. A log's entry is known here as soon as one replica knows it to be committed, and whatever rests
on it comes later: so the entries of all groups have one order. What the entries must do is told by
ownership.py, in its own words.
"""

from collections.abc import Iterable
from copy import copy

from pnyx.consensus.ready import EntryKind
from pnyx.ids import GroupId, ShardId
from pnyx.lab.invariants.facts import state_of
from pnyx.lab.invariants.invariant import Marks
from pnyx.lab.invariants.record import Record
from pnyx.lab.ownership import Done, Ownership, rows_of
from pnyx.lab.process import Process
from pnyx.lab.seat import Seat
from pnyx.lab.watch import Watch
from pnyx.machine.commands import decode
from pnyx.machine.controller import CONTROLLER
from pnyx.machine.group import Group
from pnyx.machine.holdings import Shard
from pnyx.replica.effects import Outbound
from pnyx.replica.messages import ForwardReply
from pnyx.replica.replica import Replica
from pnyx.replica.roster import CONTROL, Roster
from pnyx.storage.memory import MemorySpace


class Book:
    """One group's log as it was agreed on, and the state after its last entry."""

    def __init__(self, seat: Seat, shards: int) -> None:
        """Begin with what the group was founded with; `seat` is its first replica anywhere."""
        group, machine = seat.group, seat.replica.group.machine
        self.record = Record()
        self.state = Group(MemorySpace(), group, machine, shards=shards)
        self.state.membership = seat.replica.group.membership
        self._group = group
        self._shards = shards
        self._is_divided = machine is not CONTROLLER

    def learn(self, replica: Replica) -> Iterable[Done]:
        """Replay what `replica` knows to be committed and nobody knew before; yield what it did."""
        if replica.consensus.commit_index <= self.record.count:
            return
        for entry in self.record.learn(state_of(replica)):
            batch = decode(entry.payload) if entry.kind is EntryKind.COMMANDS else None
            before = self.shards()
            results = self.state.apply([(entry, batch)])[0]
            if batch is not None:
                yield Done(self._group, entry.index, batch.commands, results, before, self.state)

    def shards(self) -> list[Shard]:
        """Return what is here of each shard; nothing in the controller's book."""
        return shards_of(self.state, self._shards) if self._is_divided else []


class Ledgers(Watch):
    """Sees all groups of one world."""

    def __init__(self, shards: int, marks: Marks | None = None) -> None:
        """The world's keys are cut into so many `shards`."""
        self.ownership = Ownership(shards, marks if marks is not None else Marks())
        self.books: dict[GroupId, Book] = {}
        self._shards = shards
        self._held: dict[Seat, tuple[int, list[Shard]]] = {}
        """By replica, the entry up to which its state was looked at, and what it had then."""

        self._believed: dict[int, tuple[int, list[int]]] = {}
        """By process: which version of its atlas was looked at, and the epochs in it."""

    def started(self, seat: Seat) -> None:
        """Open the group's book with the first of its replicas."""
        if seat.group not in self.books:
            self.books[seat.group] = Book(seat, self._shards)
        self.touched(seat)

    def touched(self, seat: Seat) -> None:
        """Learn what was committed, and look at the replica's copies.

        Raises:
            Violation: an entry, or a replica, did what it must not.
        """
        self._learn(seat)
        self._look_at_atlas(seat.process)
        applied = seat.replica.group.applied.index
        before, held = self._held.get(seat, (-1, []))
        if seat.group != CONTROL and applied != before:
            now = shards_of(seat.replica.group, self._shards)
            self._held[seat] = (applied, now)
            self.ownership.look_at_copy(seat, held, now)

    def sending(self, seat: Seat, outbound: Outbound) -> None:
        """What an answer to another node rests on is committed, should the event end early."""
        if isinstance(outbound.message, ForwardReply):
            self._learn(seat)

    def ended(self, process: Process, how: str) -> None:
        """Forget its copies and its atlas: the next life may have older ones."""
        self._believed.pop(process.number, None)
        self._held = {
            seat: held for seat, held in self._held.items() if seat.process is not process
        }

    def finish(self, processes: Iterable[Process]) -> None:
        """Look once more at every copy of a shard that its group gave away."""
        for process in processes:
            for seat in process.seats.values():
                self._learn(seat)
                if seat.group != CONTROL:
                    now = shards_of(seat.replica.group, self._shards)
                    self.ownership.look_at_copy(seat, [], now)

    def _look_at_atlas(self, process: Process) -> None:
        assert isinstance(process.crew, Roster), "many groups are on a roster"
        atlas = process.crew.atlas
        version, before = self._believed.get(process.number, (0, []))
        if atlas.version != version and atlas.shards:
            now = [int(atlas.serving(ShardId(shard)).epoch) for shard in range(atlas.shards)]
            self._believed[process.number] = (atlas.version, now)
            self.ownership.look_at_atlas(process.label, before or [0] * len(now), now)

    def _learn(self, seat: Seat) -> None:
        for done in self.books[seat.group].learn(seat.replica):
            self.ownership.judge(done)

    # What scripts ask.

    def owner(self, shard: int) -> GroupId | None:
        """Return the group that serves a shard, None while it changes hands."""
        for group, book in self.books.items():
            if group != CONTROL and book.shards()[shard].served:
                return group
        return None

    def rows(self, group: GroupId) -> int:
        """Return how many rows of keys a group has."""
        return sum(
            len(rows_of(self.books[group].state, ShardId(shard), self._shards))
            for shard in range(self._shards)
        )


def shards_of(group: Group, count: int) -> list[Shard]:
    """Return copies of what a group has of each shard."""
    held = [group.shard(ShardId(shard)) for shard in range(count)]
    return [copy(each) for each in held if each is not None]
