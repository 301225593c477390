"""What a replica holds in memory, counted object by object, and loads that make it hold more.

The simulated disk is not memory of the store, nor is what the Lab remembers of a run: counted is
what can be reached from the replica, and of its space the rows that are there.
"""

import enum
import gc
import sys
import types
from collections.abc import Callable
from typing import Any, Final

import msgspec

from pnyx.lab.process import Process
from pnyx.lab.scenario import Call, Script, Sleep, Until
from pnyx.lab.scenarios.clients import PATIENCE_US
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import AnyCommand
from pnyx.replica.requests import Done
from pnyx.storage.memory import MemorySpace

WAVE: Final = 500
"""Requests under way at a time."""
SETTLE_US: Final = 3_000_000
"""Flushes and compactions that a load made necessary are over by then."""
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
        total += sys.getsizeof(each)
        waiting += _parts(each)
    return total


def _parts(each: Any) -> list[Any]:
    if isinstance(each, MemorySpace):
        # Without the rows of the simulated disk below it.
        return list(each.scan(b"", b"\xff" * 16))
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
    yield Sleep(SETTLE_US)
