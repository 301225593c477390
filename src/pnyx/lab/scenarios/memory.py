"""What a replica holds in memory, counted object by object, and loads that make it hold more.

The simulated disk is not memory of the store, nor is what the Lab remembers of a run: counted is
what can be reached from the replica, and of its space the rows that are there, by their bytes: in
the real space they are no objects.
"""

import enum
import gc
import sys
import types
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from pnyx.lab.numbered import numbered
from pnyx.lab.process import Process
from pnyx.lab.scenario import Call, Script, Sleep, Step, Until
from pnyx.lab.scenarios.clients import PATIENCE_US, Client, session_of
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import AnyCommand, Sequenced, Set
from pnyx.machine.results import Refusal
from pnyx.replica.requests import Done
from pnyx.storage.memory import MemorySpace
from pnyx.transport.numbering import PATIENCE_MS, Numbering

WAVE: Final = 500
"""Requests under way at a time."""
SETTLE_US: Final = 3_000_000
"""Flushes and compactions that a load made necessary are over by then."""
FORGOTTEN_US: Final = PATIENCE_US + PATIENCE_MS * 1_000 + 5_000_000
"""The deadlines of writes sent before are over by then, and their sessions forgotten."""
_CODE: Final = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, enum.Enum)


def held_bytes(process: Process) -> int:
    """Return the bytes of everything that the replica of `process` holds, its rows included."""
    assert process.replica is not None, "whose memory is counted runs"
    seen: set[int] = set()
    waiting: list[Any] = [process.replica]
    total = 0
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, _CODE):
            continue
        seen.add(id(each))
        if isinstance(each, MemorySpace):
            # Without the rows of the simulated disk below it.
            total += sum(len(key) + len(row) for key, row in each.scan(b"", b"\xff" * 16))
            continue
        total += sys.getsizeof(each)
        waiting += _parts(each)
    return total


def _parts(each: Any) -> list[Any]:
    if isinstance(each, msgspec.Struct):
        # Those that the garbage collector does not track hide their parts from it.
        return [getattr(each, name) for name in each.__struct_fields__]
    return gc.get_referents(each)


def most_held(stage: WorldStage) -> int:
    """Return the bytes of the node that holds most."""
    return max(held_bytes(process) for process in stage.world.processes.values())


def _all_over(calls: list[Call]) -> Until:
    return Until(lambda: all(call.over for call in calls), PATIENCE_US)


def clients_once(
    stage: WorldStage, count: int, command: Callable[[int], AnyCommand], first: int = 0
) -> Script:
    """Let so many clients ask once each, at all nodes, a wave at a time."""
    for start in range(first, first + count, WAVE):
        calls = [
            stage.call(1 + number % stage.nodes, command(number))
            for number in range(start, min(start + WAVE, first + count))
        ]
        yield _all_over(calls)
        for call in calls:
            stage.check(isinstance(call.answer, Done), f"a client was told {call.answer}")
            assert isinstance(call.answer, Done), "it was checked"
            told = call.answer.results[0]
            stage.check(not isinstance(told, Refusal), f"a client was told {told!r}")
    yield Sleep(SETTLE_US)


@dataclass(slots=True)
class Sessions:
    """A session for each of many clients, all opened when `first` read the clock."""

    stage: WorldStage
    first: Numbering

    def put(self, client: int, key: bytes, value: bytes) -> Sequenced:
        """Return the first write of that client's session: it sets `key`."""
        clock = self.first
        numbering = Numbering(
            b"%032x" % client, clock.window, clock.ahead_ms_max, clock.clock_ms, clock.read_ms
        )
        number = numbering.take(self.stage.now_us // 1000, PATIENCE_US // 1000)
        assert number is not None, "a new session has room"
        return numbered(numbering, number, key, Set(key, value))


def opened(stage: WorldStage) -> Generator[Step, Any, Sessions]:
    """Read the clock, and let sessions begin at it."""
    return Sessions(stage, (yield from session_of(Client(stage, "clock"), 0)))
