"""A world: processes, the links between them, and everything that can be done to both.

What it offers are single acts (crash this, cut that); plans of acts are in faults.py and
scenario.py. Connections come and go by themselves: made when both ends run and hear each other,
broken soon after one of them ended, and some seconds after they were cut from each other.
"""

import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from pnyx.consensus.engines import EngineName
from pnyx.consensus.member.settings import MemberSettings
from pnyx.ids import GroupId, NodeId
from pnyx.lab.chance import Chance
from pnyx.lab.disk import Disk, DiskTimes
from pnyx.lab.layout import Layout
from pnyx.lab.network import RELIABLE, Network, Profile
from pnyx.lab.process import Process
from pnyx.lab.surroundings import GROUP, Surroundings, label_of
from pnyx.lab.timeline import NOWHERE, Timeline
from pnyx.lab.watch import Violation, Watch, Watches
from pnyx.machine.machine import Machine
from pnyx.machine.transactions import KEYS
from pnyx.replica.limits import MigrationLimits, ReplicaLimits

CONNECT_US: Final = 500
"""A connection is refused, reset or made within this, where there is a way."""
IDLE_US: Final = 3_000_000
"""A connection that carries nothing in either direction is given up after this."""
RECONNECT_US_MAX: Final = 100_000
"""A broken connection is tried again within this."""


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """What a world is made of."""

    nodes: int = 3
    profile: Profile = RELIABLE
    raft: MemberSettings = field(default_factory=MemberSettings)
    limits: ReplicaLimits = field(default_factory=ReplicaLimits)
    migration: MigrationLimits = field(default_factory=MigrationLimits)
    machine: Machine = KEYS
    """What its one group runs."""
    consensus: EngineName = EngineName.RAFT
    layout: Layout | None = None
    """Where the controller and many groups live, instead."""
    sync_us: int = 300
    sync_jitter_us: int = 200


class World:
    """One seed, one order of events."""

    def __init__(
        self, seed: int, settings: WorldSettings | None = None, watches: Sequence[Watch] = ()
    ) -> None:
        """Make the processes, all down; `start` lets them begin."""
        self.seed = seed
        self.settings = settings or WorldSettings()
        self.timeline = Timeline(seed)
        self.chance = Chance(seed)
        self.network = Network(self.timeline, self.chance, self.settings.profile)
        self.watches = Watches(watches)
        self.violation: Violation | None = None
        self.frozen = False
        """Faults that have begun stay as they are: the liveness phase."""
        layout = self.settings.layout
        numbers = range(1, (self.settings.nodes if layout is None else layout.nodes) + 1)
        founders = numbers if layout is None else layout.controllers
        self._surroundings = Surroundings(
            self.timeline,
            self.chance,
            self.network,
            self.watches,
            self.settings.consensus,
            self.settings.raft,
            self.settings.limits,
            self.settings.migration,
            self.settings.machine,
            tuple(map(label_of, founders)),
            layout,
            {},
            self._founders,
            self._plan_again,
        )
        self.processes: dict[int, Process] = {}
        for number in numbers:
            self._make(number)
        self._cuts: dict[tuple[int, int], int] = {}

    # Time.

    def start(self) -> None:
        """Start every process."""
        for number in self.processes:
            self.restart(number)

    def run(self, until_us: int) -> bool:
        """Let everything up to `until_us` happen; False if an invariant broke meanwhile."""
        try:
            self.timeline.run(until_us)
        except Violation as violation:
            self.violation = violation
        except AssertionError as error:
            self.violation = broken_assertion(error)
        return self.violation is None

    @property
    def now_us(self) -> int:
        """Simulated microseconds since the beginning."""
        return self.timeline.now_us

    def running(self) -> list[Process]:
        """Return the processes that exist, by number."""
        return [process for process in self.processes.values() if process.running]

    def leaders(self, group: GroupId = GROUP) -> list[Process]:
        """Return who believes to lead a group, by number."""
        return [
            process
            for process in self.processes.values()
            if group in process.seats and process.seats[group].replica.leads
        ]

    def leader(self, group: GroupId = GROUP) -> Process | None:
        """Return who leads a group in the highest term, or None."""
        leaders = self.leaders(group)
        return max(leaders, key=lambda each: each.seats[group].replica.consensus.term, default=None)

    # Processes.

    def add(self) -> Process:
        """Start a new node on an empty disk, next to the others; it is no member yet."""
        number = max(self.processes) + 1
        process = self._make(number)
        self.restart(number)
        return process

    def crash(self, number: int, *, power: bool = True) -> None:
        """Kill a process, or its whole machine; nothing if it does not run."""
        process = self.processes[number]
        if process.running:
            process.crash(power=power)
            self._ended(number)

    def stop(self, number: int) -> None:
        """Stop a process in order; nothing if it does not run."""
        process = self.processes[number]
        if process.running:
            process.stop()
            self._ended(number)

    def restart(self, number: int) -> None:
        """Start a process that is down or has stopped itself; nothing if it runs."""
        process = self.processes[number]
        if process.running:
            return
        process.disk.error = None
        process.start()
        for other in self.processes:
            if other != number:
                self._plan_pair(number, other, CONNECT_US)

    def pause(self, number: int) -> None:
        """Let a process stand still."""
        self.processes[number].pause()

    def resume(self, number: int) -> None:
        """Let it go on."""
        self.processes[number].resume()

    def wipe(self, number: int) -> None:
        """Kill a process and replace its disk by an empty one."""
        self.crash(number)
        self.processes[number].wipe()

    def hang_disk(self, number: int) -> None:
        """Let no sync of that node end."""
        self.processes[number].disk.hung = True

    def release_disk(self, number: int) -> None:
        """Let syncs of that node end again at their usual speed, the one under way too."""
        process = self.processes[number]
        disk = process.disk
        if disk.hung or disk.slowness != 1.0:
            disk.hung, disk.slowness = False, 1.0
            process.disk_resumes()

    # Links.

    def cut(self, source: int, target: int) -> None:
        """Cut one direction; counts, each cut is mended by one `mend`."""
        self.network.block(source, target)
        self._cuts[source, target] = self._cuts.get((source, target), 0) + 1
        self._plan_pair(source, target, IDLE_US)

    def mend(self, source: int, target: int) -> None:
        """Undo one `cut`, unless `heal` did."""
        if self._cuts.get((source, target), 0) > 0:
            self._cuts[source, target] -= 1
            self.network.unblock(source, target)
            self._plan_again(source, target)

    def links_of(self, number: int) -> list[tuple[int, int]]:
        """Return both directions of all links of a node, as (source, target), in order."""
        others = [other for other in sorted(self.processes) if other != number]
        return [link for other in others for link in ((number, other), (other, number))]

    def isolate(self, number: int) -> None:
        """Cut a node from all others, both ways."""
        for other in self.processes:
            if other != number:
                self.cut(number, other)
                self.cut(other, number)

    def rejoin(self, number: int) -> None:
        """Undo one `isolate`."""
        for other in self.processes:
            if other != number:
                self.mend(number, other)
                self.mend(other, number)

    def partition(self, sides: Sequence[Iterable[int]]) -> None:
        """Cut every link between different sides, both ways."""
        parts = [sorted(side) for side in sides]
        for position, side in enumerate(parts):
            for other in parts[position + 1 :]:
                for a in side:
                    for b in other:
                        self.cut(a, b)
                        self.cut(b, a)

    def heal(self) -> None:
        """Mend every link."""
        self._cuts.clear()
        self.network.heal()
        numbers = sorted(self.processes)
        for position, number in enumerate(numbers):
            for other in numbers[position + 1 :]:
                self._plan_again(number, other)

    def heal_between(self, numbers: Sequence[int]) -> None:
        """Mend every link between these nodes; their links to the others stay as they are."""
        for source in numbers:
            for target in numbers:
                if source != target:
                    self._cuts.pop((source, target), None)
                    self.network.heal_link(source, target)
                    self._plan_again(source, target)

    # Inside: connections.

    def _founders(self) -> tuple[NodeId, ...]:
        layout = self.settings.layout
        numbers = self.processes if layout is None else layout.controllers
        return tuple([self.processes[number].node for number in numbers])

    def _make(self, number: int) -> Process:
        times = DiskTimes(self.settings.sync_us, self.settings.sync_jitter_us)
        disk = Disk(number, self.chance, times)
        process = Process(number, label_of(number), self._surroundings, disk)
        self.processes[number] = process
        return process

    def _ended(self, number: int) -> None:
        for other in self.processes:
            if other != number:
                is_open = self.network.is_open(number, other)
                self._plan_pair(number, other, CONNECT_US if is_open else IDLE_US)

    def _plan_again(self, a: int, b: int) -> None:
        where = (a, b, self.timeline.happened)
        self._plan_pair(a, b, self.chance.below(RECONNECT_US_MAX, "reconnect", *where))

    def _plan_pair(self, a: int, b: int, delay_us: int) -> None:
        self.timeline.after_us(delay_us, "link", NOWHERE, self._settle_pair, a, b)

    def _settle_pair(self, a: int, b: int) -> None:
        """Make or break the connection between two nodes, as things stand now."""
        first, second = self.processes[a], self.processes[b]
        is_open = self.network.is_open(a, b) and self.network.is_open(b, a)
        is_shut = not self.network.is_open(a, b) and not self.network.is_open(b, a)
        is_whole = _is_linked(first, second) and _is_linked(second, first)
        if is_whole and not is_shut:
            # One direction is enough to keep what is there: it is not idle.
            return
        first.link_down(b)
        second.link_down(a)
        if first.running and second.running and is_open:
            first.link_up(second)
            second.link_up(first)


def broken_assertion(error: AssertionError) -> Violation:
    """Return the violation that an assertion of the product stands for."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{frame.filename.rsplit('/pnyx/', 1)[-1]}:{frame.name}"
    return Violation("assertion", f"{str(error) or frame.line} ({where})")


def _is_linked(one: Process, other: Process) -> bool:
    link = one.linked.get(other.number)
    return link is not None and other.running and link[0] == other.life
