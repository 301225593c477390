"""A host of a lesson: a node, its disk of rows, its place in the network.

It carries effects out and decides nothing. Of a disk there is what databases promise: batches of
rows that are there whole or not at all, in order, and durable when a sync has ended.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pnyx.lab.lessons.node import Birth, Effects, Node
from pnyx.prng import Prng

if TYPE_CHECKING:
    from pnyx.lab.lessons.world import LessonWorld

SYNC_US: Final = 300
SYNC_JITTER_US: Final = 200
"""Mean of an exponential share on top."""
ROW_BYTES: Final = 16
"""What a row takes on disk beside its key and value."""


@dataclass(slots=True)
class Rows:
    """What survives a host."""

    held: dict[bytes, bytes] = field(default_factory=dict)
    disk: int = 0
    """How many disks there were before."""

    def apply(self, effects: Effects) -> None:
        """Make one batch durable."""
        for key, value in effects.rows:
            if value is None:
                self.held.pop(key, None)
            else:
                self.held[key] = value

    @property
    def bytes(self) -> int:
        """The size of all its files."""
        return sum(ROW_BYTES + len(key) + len(value) for key, value in self.held.items())


class Host:
    """One machine."""

    def __init__(self, number: int, world: "LessonWorld") -> None:
        self.number = number
        self.rows = Rows()
        self.node: Node | None = None
        self.life = 0
        self.is_deaf = False
        """It can call, and hears answers; it cannot be called."""
        self.received = 0
        """Requests that reached it, over all lives."""
        self.dies_answering = False
        """The next answer to a client is its end: it crashes instead of sending it."""
        self.sent: dict[str, int] = {}
        """By type of message, to other hosts, over all lives."""
        self._world = world
        self._waiting: deque[Effects] = deque()
        """Asked for and not durable, oldest first."""
        self._syncing = 0
        """How many of them the sync under way covers."""
        self._syncs = 0
        self._timer_ms = 0

    @property
    def now_ms(self) -> int:
        """Milliseconds since the world began."""
        return self._world.timeline.now_us // 1_000

    # Life and death.

    def start(self) -> None:
        """Begin a life with what the disk holds; nothing if it runs."""
        if self.node is not None:
            return
        world = self._world
        self._timer_ms = 0
        birth = Birth(
            self.number,
            tuple(world.hosts),
            dict(self.rows.held),
            self.rows.disk,
            self.life,
            self.now_ms,
            Prng(world.chance.seed("node", self.number, self.life)),
        )
        self.life += 1
        self.node = world.make(birth)
        world.network.attach(self.number, self._receive)
        world.judge.started(self)
        self._turn()

    def crash(self) -> None:
        """Lose everything but the disk, and of what was not synced all but the oldest of it."""
        if self.node is None:
            return
        kept = self._world.chance.below(
            len(self._waiting) + 1, "kept", self.number, self.life, self._syncs
        )
        for _ in range(kept):
            self._land(self._waiting.popleft())
        self._waiting.clear()
        self._syncing = 0
        self.node = None
        self._world.network.detach(self.number)
        self._world.judge.ended(self)

    def wipe(self) -> None:
        """Crash, and lose the disk as well."""
        self.crash()
        self.rows = Rows(disk=self.rows.disk + 1)

    def act(self, action: Callable[[], None]) -> None:
        """Let somebody on this host do something with its node."""
        if self.node is not None:
            action()
            self._turn()

    # Inside.

    def _receive(self, source: int, content: bytes) -> None:
        parcel = self._world.opened(source, content)
        if self.is_deaf and not parcel.is_answer and source in self._world.hosts:
            return
        if not parcel.is_answer:
            self.received += 1
        node = self.node
        assert node is not None, "nobody listens on a host that is down"
        self._world.tell(self.number, f"hears {self._world.place_of(source)}:", parcel.message)
        node.step(source, parcel.message, self.now_ms)
        self._turn()

    def _turn(self) -> None:
        node = self.node
        assert node is not None, "only who runs does anything"
        if node.deadline_ms <= self.now_ms:
            node.tick(self.now_ms)
        while (effects := node.effects()) is not None:
            self._world.judge.asked(self, effects)
            self._carry_out(effects)
        self._world.judge.touched(self)
        self._sync()
        self._arm(node)

    def _carry_out(self, effects: Effects) -> None:
        if effects.rows or self._waiting:
            self._waiting.append(effects)
        else:
            self._finish(effects)

    def _sync(self) -> None:
        if self._syncing or not self._waiting:
            return
        self._syncing = len(self._waiting)
        self._syncs += 1
        chance = self._world.chance
        jitter = chance.exponential(SYNC_JITTER_US, "sync", self.number, self._syncs)
        self._world.timeline.after_us(
            SYNC_US + int(jitter), "synced", self.number, self._synced, self.life
        )

    def _synced(self, life: int) -> None:
        if life != self.life or self.node is None:
            return
        for _ in range(self._syncing):
            effects = self._waiting.popleft()
            self._land(effects)
            self._finish(effects)
        self._syncing = 0
        self._turn()

    def _land(self, effects: Effects) -> None:
        self.rows.apply(effects)
        self._world.judge.durable(self, effects)

    def _finish(self, effects: Effects) -> None:
        assert self.node is not None, "only who runs sends"
        for parcel in effects.parcels:
            if self.dies_answering and parcel.to not in self._world.hosts:
                self.dies_answering = False
                self._world.tell(self.number, "dies before it answers")
                self._world.timeline.after_us(0, "dies", self.number, self.crash)
                break
            self._world.judge.sending(self, parcel)
            if parcel.to in self._world.hosts:
                name = self._world.name_of(parcel.message)
                self.sent[name] = self.sent.get(name, 0) + 1
            self._world.post(self.number, parcel)
        self.node.persisted(self.now_ms)

    def _arm(self, node: Node) -> None:
        due_ms = node.deadline_ms
        if self.now_ms < self._timer_ms <= due_ms or due_ms >= 1 << 60:
            return
        self._timer_ms = max(due_ms, self.now_ms + 1)
        self._world.timeline.at(
            self._timer_ms * 1_000, "timer", self.number, self._ring, self.life, self._timer_ms
        )

    def _ring(self, life: int, due_ms: int) -> None:
        if life == self.life and self.node is not None and due_ms == self._timer_ms:
            self._turn()


def rows_of(birth: Birth, prefix: bytes) -> list[tuple[bytes, bytes]]:
    """Return the rows whose keys begin so, without it, in order of their keys."""
    return sorted(
        (key[len(prefix) :], value) for key, value in birth.rows.items() if key.startswith(prefix)
    )
