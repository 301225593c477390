"""Clients of a sharded store: they know who served what, and have sessions for their writes.

A clerk asks a node of the group that it believes to serve the key's shard. Told that this is not so
(`WRONGSHARD`), or nothing at all, it reads the directory again and asks there. A write keeps its
session and sequence in all attempts, so whatever became of the first one, it is done once.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, Final

from pnyx.ids import GroupId
from pnyx.lab.history import History
from pnyx.lab.scenario import Failed, Sleep, Step, Until
from pnyx.lab.scenarios.fleet import Caller, Fleet
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import (
    AnyCommand,
    Append,
    Clock,
    Expiry,
    Get,
    IncrBy,
    Sequenced,
    Set,
    Ttl,
)
from pnyx.machine.configuration import NOBODY, Directory, decode_directory
from pnyx.machine.directives import Whereabouts
from pnyx.machine.holdings import WRONG_SHARD
from pnyx.machine.results import Refusal, Result
from pnyx.machine.shards import shard_of_slot
from pnyx.machine.slots import slot_of
from pnyx.replica.requests import Done

RETRY_US: Final = 10_000
ATTEMPT_US: Final = 6_000_000
"""No node takes longer to answer, unless it hangs."""
LOOK_US: Final = 5_000
"""How often it looks for an answer that takes tens of milliseconds anyway."""
GIVE_UP_US: Final = 120_000_000
DEADLINE_MS: Final = 3_000_000
"""Of a write, from the committed clock when the session began."""
_DELAY_US_MAX: Final = 26_000
_LOST_OF: Final = 10


@dataclass(slots=True, eq=False)
class Clerk:
    """One client, with one request at a time."""

    fleet: Fleet
    name: str
    """Of its own among all clients of a scenario, 16 bytes at most."""
    lossy: bool = False
    """Does one request in ten, and one answer in ten, get lost?"""
    history: History | None = None
    knows_better: Directory | None = None
    """It believes this, whatever the controller says."""
    stopped: bool = False
    """It gives up what it is asking."""
    _stage: WorldStage = field(init=False)
    _asks: Caller = field(init=False)
    _directory: Directory | None = None
    _at: dict[GroupId, int] = field(default_factory=dict)
    """Whom of a group it asks: a place in the placement."""
    _sequence: int = 0
    _deadline_ms: int = 0

    def __post_init__(self) -> None:
        """Know nothing yet."""
        self._stage = self.fleet.stage
        self._directory = self.knows_better
        self._asks = Caller(
            self._stage, f"{self.name}'s questions", among=self.fleet.layout.controllers
        )

    # Operations.

    def get(self, key: bytes) -> Generator[Step, Any, bytes | None]:
        """Return the value, None if there is none or the clerk was stopped."""
        number = self._begin("get", key)
        result = yield from self._until_told(key, Get(key))
        value = result if isinstance(result, bytes) else None
        if not self.stopped:
            self._end(number, value or b"")
        return value

    def put(
        self, key: bytes, value: bytes, expiry: Expiry | None = None
    ) -> Generator[Step, Any, None]:
        """Set the value, once."""
        number = self._begin("put", key, value)
        yield from self._write(key, Set(key, value, expiry))
        self._end(number, None)

    def append(self, key: bytes, value: bytes) -> Generator[Step, Any, int]:
        """Append, once; return the length after it."""
        number = self._begin("append", key, value)
        told = yield from self._write(key, Append(key, value))
        self._end(number, told)
        assert isinstance(told, int), "an append gives a length"
        return told

    def add(self, key: bytes) -> Generator[Step, Any, int]:
        """Add one, once; return the sum."""
        told = yield from self._write(key, IncrBy(key, 1))
        assert isinstance(told, int), "an increment gives a sum"
        return told

    def left_ms(self, key: bytes) -> Generator[Step, Any, int]:
        """Return how long a key has, -1 for ever, -2 if there is none."""
        told = yield from self._until_told(key, Ttl(key, seconds=False))
        assert isinstance(told, int), "a time is a number"
        return told

    def told(self, key: bytes, command: AnyCommand) -> Generator[Step, Any, tuple[Result] | None]:
        """Ask once; return the result, alone in a tuple, or None if there was no answer."""
        shard = shard_of_slot(slot_of(key), self.fleet.layout.shards)
        if self._directory is None:
            yield from self._read_again()
        if self._directory is None:
            # Over lossy links the controller's answer was lost, too.
            return None
        group = self._directory.shards[shard].group
        return (yield from self._ask(group, command)) if group != NOBODY else None

    # Inside.

    def _write(self, key: bytes, command: AnyCommand) -> Generator[Step, Any, Result]:
        if not self._deadline_ms:
            # Writes of other groups are stamped as late at least: their clocks go on, too.
            clock = yield from self._until_told(key, Clock())
            assert isinstance(clock, int), "a clock is a number"
            self._deadline_ms = clock + DEADLINE_MS
        self._sequence += 1
        session = self.name.encode().ljust(16, b".")
        write = Sequenced(
            slot_of(key), session, b"default", self._sequence, self._sequence - 1,
            self._deadline_ms, 0, command,
        )  # fmt: skip
        return (yield from self._until_told(key, write))

    def _until_told(self, key: bytes, command: AnyCommand) -> Generator[Step, Any, Result]:
        began_us = self._stage.now_us
        while not self.stopped:
            told = yield from self.told(key, command)
            if told is not None and told[0] != WRONG_SHARD:
                is_done = not isinstance(told[0], Refusal)
                self._stage.check(is_done, f"{self.name} was told {told[0]!r} to {command}")
                return told[0]
            if self._stage.now_us - began_us > GIVE_UP_US:
                raise Failed(f"{self.name} had no answer to {command}")
            yield Sleep(RETRY_US)
            if self.knows_better is None:
                yield from self._read_again()
        return None

    def _ask(
        self, group: GroupId, command: AnyCommand
    ) -> Generator[Step, Any, tuple[Result] | None]:
        stage, nodes = self._stage, self.fleet.layout.groups[group]
        at = self._at.setdefault(group, stage.below(len(nodes), f"first node of {self.name}"))
        leader = self.fleet.leader(group) if self.lossy else None
        # Over lossy links it asks who leads, as the original's clerks do.
        node = leader or nodes[at % len(nodes)]
        if self.lossy:
            yield Sleep(stage.below(_DELAY_US_MAX + 1, f"delay of {self.name}"))
        is_lost = self.lossy and self._loses("request")
        if stage.running(node) and not is_lost:
            call = stage.call(node, command, group=group)
            every_us = LOOK_US if self.lossy else 1_000
            yield Until(lambda: call.over, ATTEMPT_US, every_us)
            if isinstance(call.answer, Done) and not (self.lossy and self._loses("answer")):
                return (call.answer.results[0],)
        self._at[group] = at + 1
        return None

    def _loses(self, what: str) -> bool:
        return self._stage.below(_LOST_OF, f"lost {what} of {self.name}") == 0

    def _read_again(self) -> Generator[Step, Any, None]:
        results, _ = yield from self._asks.attempt((Whereabouts(),))
        if results is None:
            self._asks.turn()
        elif isinstance(results[0], bytes):
            self._directory = decode_directory(results[0])

    def _begin(self, function: str, key: bytes, *arguments: bytes) -> int | None:
        if self.history is None:
            return None
        now_us = self._stage.now_us
        return self.history.call(self.name, function, key, arguments, time_us=now_us)

    def _end(self, number: int | None, value: Any) -> None:
        if self.history is not None and number is not None:
            self.history.returned(number, "ok", value, time_us=self._stage.now_us)


@dataclass(slots=True, eq=False)
class Notes:
    """What one clerk wrote, and what it must therefore find."""

    clerk: Clerk
    keys: list[bytes]
    size: int = 5
    """Bytes that are put or appended at a time."""
    values: dict[bytes, bytes] = field(default_factory=dict)
    _written: int = 0

    def put_all(self) -> Generator[Step, Any, None]:
        """Put every key."""
        for key in self.keys:
            self.values[key] = self._drawn()
            yield from self.clerk.put(key, self.values[key])

    def append(self, key: bytes) -> Generator[Step, Any, None]:
        """Append to one key."""
        more = self._drawn()
        self.values[key] = self.values.get(key, b"") + more
        length = yield from self.clerk.append(key, more)
        is_right = length == len(self.values[key])
        self._stage.check(is_right, f"{key!r} has {length} bytes, not {len(self.values[key])}")

    def check(self, keys: list[bytes] | None = None) -> Generator[Step, Any, None]:
        """Read keys, all without a choice."""
        for key in self.keys if keys is None else keys:
            found = yield from self.clerk.get(key)
            expected = self.values.get(key)
            self._stage.check(found == expected, f"{key!r} is {found!r}, not {expected!r}")

    def check_and_append(self) -> Generator[Step, Any, None]:
        """Read and extend every key, one after the other."""
        for key in self.keys:
            yield from self.check([key])
            yield from self.append(key)

    @property
    def _stage(self) -> WorldStage:
        return self.clerk.fleet.stage

    def _drawn(self) -> bytes:
        """Return a value of its own."""
        self._written += 1
        return (b"%d of %s" % (self._written, self.clerk.name.encode())).ljust(self.size, b".")
