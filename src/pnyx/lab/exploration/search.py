"""Breadth first through every state of a scope, so that what is found is found by a shortest path.

The search ends in one of four ways: a check is broken; the goal is reached; a bound stops it, and
then nothing is decided; or every state was seen, and then no other exists in this scope.
"""

import gc
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Protocol

from pnyx.lab.exploration.checks import Broken
from pnyx.lab.exploration.goals import Goal
from pnyx.lab.exploration.graph import Graph, Onward, State
from pnyx.lab.exploration.story import Moment, blocked, told


class Bounds(Protocol):
    """What every scope says: where a search gives up."""

    @property
    def depth_max(self) -> int:
        """Steps of the longest path."""
        ...

    @property
    def states_max(self) -> int:
        """Whole states kept in memory."""
        ...


@dataclass(frozen=True, slots=True)
class Subject:
    """What is explored: which states follow each other, and how a path through them is told."""

    graph: Callable[[Any], Any]
    """The graph of a scope: `start`, `onward`, `judge`, and for goals `view` and `situation`."""
    told: Callable[[Any, Sequence[State], Any], tuple[Moment, ...]]
    blocked: Callable[[Any, State], tuple[str, ...]]


RAFT: Final = Subject(Graph, told, blocked)


class Verdict(Enum):
    """How an exploration ended."""

    EXHAUSTED = "exhausted"
    """Every state of the scope was seen, and every check held."""
    BOUNDED = "bounded"
    """A bound stopped it: nothing is decided beyond what was seen."""
    BROKEN = "broken"
    """A check did not hold."""
    REACHED = "reached"
    """The goal was found."""


@dataclass(frozen=True, slots=True)
class Closest:
    """The state nearest to a goal that was not reached."""

    distance: int
    story: tuple[Moment, ...]
    blocked: tuple[str, ...]
    """What cannot happen there, or not any more."""


@dataclass(frozen=True, slots=True)
class Result:
    """What an exploration found."""

    verdict: Verdict
    scope: Bounds
    states: int
    steps: int
    """Steps from one state to another that were looked at."""
    depth: int
    """Steps of the longest path that was needed to see a state."""
    bound: str = ""
    """Which bound stopped it."""
    broken: Broken | None = None
    story: tuple[Moment, ...] = ()
    """A shortest way to the violation or to the goal."""
    goal: Goal | None = None
    closest: Closest | None = None


class Exploration:
    """One search, carried on piece by piece so that its owner can show how far it is."""

    def __init__(self, scope: Bounds, goal: Goal | None = None, subject: Subject = RAFT) -> None:
        self.scope = scope
        self._subject = subject
        self.goal = goal
        self.depth = 0
        self._level = 0
        self.steps = 0
        self._graph = subject.graph(scope)
        start: State = self._graph.start
        self._order: list[State] = [start]
        self._numbers: dict[State, int] = {start: 0}
        self._parents = array("I", [0])
        self._looked_at = 0
        self._level_ends = 1
        self._verdict: Verdict | None = None
        self._bound = ""
        self._broken: Broken | None = None
        self._last: Onward | None = None
        self._distances: dict[State, int] = {}
        self._nearest = (0, 0)
        if goal is not None:
            self._nearest = (goal.distance(self._graph.view(start)), 0)
            if self._nearest[0] == 0:
                self._verdict = Verdict.REACHED

    @property
    def states(self) -> int:
        """How many different states were met."""
        return len(self._order)

    @property
    def waiting(self) -> int:
        """How many of them were not looked at yet."""
        return len(self._order) - self._looked_at

    def advance(self, states: int) -> bool:
        """Look at that many more states; return whether the search is over."""
        with _uncollected():
            for _ in range(states):
                if self._advance():
                    return True
        return False

    def _advance(self) -> bool:
        if self._verdict is not None:
            return True
        is_level_done = self._looked_at == self._level_ends
        if self._looked_at == len(self._order):
            self._verdict = Verdict.EXHAUSTED
        elif is_level_done and self.depth == self.scope.depth_max:
            self._stop_at("depth_max")
        else:
            if is_level_done:
                self._level += 1
                self._level_ends = len(self._order)
            self._look()
        return self._verdict is not None

    def result(self) -> Result:
        """Return what was found; the search is over."""
        assert self._verdict is not None, "the search is not over"
        story: tuple[Moment, ...] = ()
        closest = None
        if self._verdict is Verdict.BROKEN:
            story = self._told(self._looked_at - 1, self._last)
        elif self._verdict is Verdict.REACHED:
            story = self._told(self._nearest[1])
        elif self.goal is not None:
            distance, nearest = self._nearest
            why = self._subject.blocked(self._graph, self._order[nearest])
            closest = Closest(distance, self._told(nearest), why)
        return Result(
            self._verdict, self.scope, self.states, self.steps, self.depth,
            self._bound, self._broken, story, self.goal, closest,
        )  # fmt: skip

    def _look(self) -> None:
        state = self._order[self._looked_at]
        parent = self._looked_at
        self._looked_at += 1
        numbers = self._numbers
        for onward in self._graph.onward(state):
            self.steps += 1
            _, after, broken = onward
            if broken is None:
                if after in numbers:
                    continue
                broken = self._graph.judge(after)
            if broken is not None:
                self._verdict, self._broken, self._last = Verdict.BROKEN, broken, onward
                return
            if len(numbers) == self.scope.states_max:
                self._stop_at("states_max")
                return
            number = numbers[after] = len(self._order)
            self._order.append(after)
            self._parents.append(parent)
            self.depth = self._level + 1
            if self.goal is not None and self._is_goal(after, number):
                self._verdict = Verdict.REACHED
                return

    def _stop_at(self, bound: str) -> None:
        self._verdict = Verdict.BOUNDED
        self._bound = f"{bound} = {getattr(self.scope, bound)}"

    def _is_goal(self, state: State, number: int) -> bool:
        assert self.goal is not None, "only asked for a goal"
        key = self._graph.situation(state)
        if key in self._distances:
            return False
        distance = self._distances[key] = self.goal.distance(self._graph.view(state))
        if distance < self._nearest[0]:
            self._nearest = (distance, number)
        return distance == 0

    def _told(self, number: int, last: Onward | None = None) -> tuple[Moment, ...]:
        numbers = [number]
        while numbers[-1]:
            numbers.append(self._parents[numbers[-1]])
        path: Sequence[State] = [self._order[one] for one in reversed(numbers)]
        return self._subject.told(self._graph, path, last)


@contextmanager
def _uncollected() -> Iterator[None]:
    # There are no cycles to collect here; looking for some among millions of tuples costs a third.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def explore(scope: Bounds, goal: Goal | None = None, subject: Subject = RAFT) -> Result:
    """Carry an exploration through to its end."""
    exploration = Exploration(scope, goal, subject)
    while not exploration.advance(10_000):
        pass
    return exploration.result()
