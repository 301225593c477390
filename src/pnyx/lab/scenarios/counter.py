"""A counter as the machine behind the log: what the M scenarios share."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pnyx.lab.scenario import Call, Failed, Sleep, Stage, Step, Until
from pnyx.lab.scenarios.agreement import everybody
from pnyx.machine.commands import Get, IncrBy
from pnyx.replica.requests import Done, Elsewhere, NotDone

KEY: Final = b"counter"
INC_US: Final = 10_000_000
"""How long an increment may take, over all nodes that are asked."""
SHOWN_US: Final = 31_000_000
"""How long replicas may take to show a value."""
RETRY_US: Final = 50_000


@dataclass(slots=True)
class Tally:
    """What the counter must show."""

    least: int = 0
    """The sum of what was surely done."""
    most: int = 0
    """With everything on top whose outcome nobody knows."""

    def __contains__(self, shown: int) -> bool:
        """May the counter show that?"""
        return self.least <= shown <= self.most


def add(stage: Stage, node: int, delta: int) -> Call:
    """Ask `node` to add `delta`."""
    return stage.call(node, IncrBy(KEY, delta))


def returned(*calls: Call) -> Callable[[], bool]:
    """Return what says whether all of them are over."""
    return lambda: all(call.over for call in calls)


def sum_after(call: Call) -> int | None:
    """Return what the counter became with that call, or None if it was not (surely) done."""
    if not isinstance(call.answer, Done):
        return None
    (value,) = call.answer.results
    assert isinstance(value, int), "the counter is a number"
    return value


def surely_undone(call: Call) -> bool:
    """Will it surely have no effect?"""
    return isinstance(call.answer, NotDone | Elsewhere)


def one_inc(stage: Stage, tally: Tally, among: Sequence[int] = ()) -> Generator[Step, Any, int]:
    """Add one, asking one node after the other; return what the counter became."""
    deadline_us = stage.now_us + INC_US
    while stage.now_us < deadline_us:
        for node in among or everybody(stage):
            call = add(stage, node, 1)
            yield Until(returned(call), deadline_us - stage.now_us)
            after = sum_after(call)
            if after is not None:
                tally.least += 1
                tally.most += 1
                stage.check(after in tally, f"the counter became {after}, not {tally}")
                return after
            if not surely_undone(call):
                tally.most += 1
        yield Sleep(RETRY_US)
    raise Failed(f"no node of {among or everybody(stage)} added one within {INC_US / 1e6:g} s")


def replicas_show(
    stage: Stage, tally: Tally, nodes: Sequence[int] = ()
) -> Generator[Step, Any, int]:
    """Wait until each of `nodes`, asked itself, shows the same value, in `tally`; return it."""
    asked = tuple(nodes or everybody(stage))
    deadline_us = stage.now_us + SHOWN_US
    shown: list[int | None] = []
    while stage.now_us < deadline_us:
        calls = [stage.call(node, Get(KEY)) for node in asked]
        yield Until(returned(*calls), 5_000_000)
        shown = [_shown(call) for call in calls]
        first = shown[0]
        if first is not None and shown == [first] * len(asked) and first in tally:
            return first
        yield Sleep(RETRY_US)
    raise Failed(f"the replicas {asked} show {shown}, not one value in {tally}")


def crash_all(stage: Stage) -> None:
    """Let every node lose its power."""
    for node in everybody(stage):
        stage.crash(node)


def restart_all(stage: Stage) -> None:
    """Start every node from its disk."""
    for node in everybody(stage):
        stage.restart(node)


def _shown(call: Call) -> int | None:
    if not isinstance(call.answer, Done):
        return None
    (value,) = call.answer.results
    return int(value) if isinstance(value, bytes) else 0
