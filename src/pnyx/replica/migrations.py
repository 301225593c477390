"""All migrations of one node: one for each data group whose leader is here, and what they ask."""

from dataclasses import dataclass, field

from pnyx.ids import GroupId
from pnyx.machine.configuration import NOBODY
from pnyx.replica.arrival import Progress
from pnyx.replica.asks import Ask
from pnyx.replica.atlas import Atlas
from pnyx.replica.effects import NEVER, Effects
from pnyx.replica.limits import MigrationLimits
from pnyx.replica.migration import Migration, MoveCounters
from pnyx.replica.replica import Replica


@dataclass(slots=True)
class Migrations:
    """One node's. They begin and end with the leadership of their groups."""

    atlas: Atlas
    limits: MigrationLimits
    counters: MoveCounters = field(default_factory=MoveCounters)
    _running: dict[GroupId, Migration] = field(default_factory=dict)
    _woken: dict[GroupId, None] = field(default_factory=dict)
    """Those that something happened to."""
    _version: int = 0
    """Of the atlas when all were woken for it."""

    def look(self, group: GroupId, replica: Replica | None) -> None:
        """`group` was visited; `replica` is the one here, if there is one."""
        leads = replica is not None and replica.leads and group != NOBODY
        if leads == (group in self._running):
            return
        if leads:
            assert replica is not None, "it leads"
            if replica.group.machine.divided:
                limits, counters = self.limits, self.counters
                self._running[group] = Migration(group, replica.group, limits, counters)
                self._woken[group] = None
        else:
            del self._running[group]
            self._woken.pop(group, None)

    def sift(self, effects: Effects, now_ms: int) -> None:
        """Take the answers to asks out of `effects`."""
        # Of groups that no longer lead here, too: nobody else knows what to do with these tickets.
        for ticket, _ in effects.answers:
            if type(ticket) is Ask:
                break
        else:
            return
        others = []
        for ticket, answer in effects.answers:
            if type(ticket) is not Ask:
                others.append((ticket, answer))
            elif ticket.asker in self._running:
                self._running[ticket.asker].answered(ticket, answer, now_ms)
                self._woken[ticket.asker] = None
        effects.answers = others

    def tick(self, now_ms: int) -> None:
        """`deadline_ms` has passed; calling earlier does nothing."""
        for group, migration in self._running.items():
            if migration.deadline_ms <= now_ms:
                self._woken[group] = None

    @property
    def is_woken(self) -> bool:
        """May there be something to ask?"""
        return bool(self._running) and (bool(self._woken) or self._version != self.atlas.version)

    def take_asks(self, now_ms: int) -> list[Ask]:
        """Return what is to be submitted, in this order, each ask its own ticket."""
        if self._version != self.atlas.version:
            self._version = self.atlas.version
            self._woken = dict.fromkeys(self._running)
        woken, self._woken = self._woken, {}
        return [ask for each in woken for ask in self._running[each].wanted(self.atlas, now_ms)]

    @property
    def deadline_ms(self) -> int:
        """When `tick` is wanted next, on the monotone clock."""
        return min([each.deadline_ms for each in self._running.values()], default=NEVER)

    def passing(self, group: GroupId, now_ms: int) -> int:
        """Return how many shards of a group that leads here change hands just now."""
        running = self._running.get(group)
        return 0 if running is None else running.passing(self.atlas, now_ms)

    def progress(self, now_ms: int) -> list[Progress]:
        """Return how the moves to groups that lead here are getting on."""
        found = (each.progress(now_ms) for each in self._running.values())
        return [progress for several in found for progress in several]
