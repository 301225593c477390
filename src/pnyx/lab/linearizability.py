"""Whether some order of a history's operations, one after the other, explains every reply.

The search is Wing & Gong's (1993) with Lowe's memory of what was tried (2017): go through the
events in order of time; an operation that was called before every return that is still to come may
be next; remember (set taken, state) and never try one twice. Keys are independent (locality,
Herlihy & Wing), so each is searched alone. An operation of unknown outcome may come at any later
time or never. Three reductions, all sound:

- what `Plan.is_settled` is taken at once, and no other choice is tried there;
- the search ends when only operations of unknown outcome remain;
- of several unknown operations that ask the same, the one called first is taken first.

A fourth lies in the plans: a state from which some reply can never come true is left at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from pnyx.lab.history import History, Operation
from pnyx.lab.models.catalogue import MODELS
from pnyx.lab.models.model import ILLEGAL, Model, Plan, State
from pnyx.lab.values import Value, shown

Word: TypeAlias = Literal["linearizable", "not linearizable", "undecided"]
STEPS_MAX: Final = 50_000_000
BYTES_MAX: Final = 1_500_000_000
ENTRY_BYTES: Final = 140
"""What one remembered pair costs besides its bits, measured."""
STEPS_PER_LOOK: Final = 4096
"""How many steps between two questions whether to stop."""


def never() -> bool:
    """Return False: nobody stops the search."""
    return False


@dataclass(slots=True)
class Budget:
    """What a search may use; the same budget gives the same verdict everywhere."""

    steps_max: int = STEPS_MAX
    bytes_max: int = BYTES_MAX
    """Of remembered pairs, all keys together; estimated."""
    stop: Callable[[], bool] = never
    """Asked now and then; ends the search undecided. For those who have a clock."""
    steps: int = 0
    bytes: int = 0
    looked: int = 0
    """The number of steps when `stop` was asked last."""

    def is_spent(self) -> bool:
        """Whether the search must end undecided."""
        if self.steps > self.steps_max or self.bytes > self.bytes_max:
            return True
        if self.steps - self.looked < STEPS_PER_LOOK:
            return False
        self.looked = self.steps
        return self.stop()


@dataclass(slots=True)
class Found:
    """What the search of one key's operations came to."""

    word: Word
    order: list[Operation] = field(default_factory=list)
    """An order that explains all replies; else the longest one that was found."""
    state: State = None
    """After that order, as the plan sees it."""
    stuck_at: Operation | None = None
    """The operation that had to be next in the longest order, and could not be."""


@dataclass(slots=True)
class KeyVerdict:
    """The verdict on one key, with the operations that were searched."""

    key: Value
    operations: list[Operation]
    found: Found


@dataclass(slots=True)
class Verdict:
    """The verdict on a history."""

    word: Word
    keys: list[KeyVerdict]
    """In order of their first calls; those after a key that is refuted are not searched."""
    steps: int
    bytes: int

    def points(self) -> dict[int, float]:
        """Return for each operation that took effect when it did, in positions of events.

        A point lies between the operation's call and return; those of a key are in its order.
        """
        found: dict[int, float] = {}
        for judged in self.keys:
            if judged.found.word == "linearizable":
                found |= _points(judged.found.order)
        return found


def judge(history: History, budget: Budget | None = None) -> Verdict:
    """Return whether the history is linearizable; every operation must fit its model."""
    budget = budget or Budget()
    model = MODELS[history.model]
    verdicts: list[KeyVerdict] = []
    word: Word = "linearizable"
    for key, operations in by_key(history.operations()):
        found = search(model, operations, model.start(history.initial, key), budget)
        verdicts.append(KeyVerdict(key, operations, found))
        if found.word != "linearizable":
            word = found.word
        if word == "not linearizable":
            break
    return Verdict(word, verdicts, budget.steps, budget.bytes)


def by_key(operations: Sequence[Operation]) -> list[tuple[Value, list[Operation]]]:
    """Return the operations of each key, in order of the keys' first calls."""
    keys: dict[str, tuple[Value, list[Operation]]] = {}
    for operation in operations:
        # By what is shown, not by equality: 1 and 1.0 are one key of no store.
        name = shown(operation.key, characters_max=1 << 20)
        keys.setdefault(name, (operation.key, []))[1].append(operation)
    return list(keys.values())


def search(model: Model, operations: Sequence[Operation], start: State, budget: Budget) -> Found:
    """Return what the search of one key's operations, in order of calls, comes to."""
    wanted = [one for one in operations if model.matters(one)]
    return _Search(wanted, model.plan(wanted, start), budget).run()


@dataclass(slots=True)
class _Taken:
    number: int
    state: State
    """Before it was taken."""
    is_settled: bool


class _Search:
    """One search: the events that remain as a doubly linked list, and what was taken so far."""

    def __init__(self, operations: Sequence[Operation], plan: Plan, budget: Budget) -> None:
        self._operations = operations
        self._plan = plan
        self._budget = budget
        self._missing = sum(one.returned is not None for one in operations)
        self._is_open = [one.returned is None for one in operations]
        self._same_before = _same_before(operations)
        events = [(one.called, number, False) for number, one in enumerate(operations)]
        events += [
            (one.returned, number, True)
            for number, one in enumerate(operations)
            if one.returned is not None
        ]
        events.sort()
        end = len(events)
        # Entry `end` closes the ring: it comes after the last event and before the first.
        self._next: list[int] = [*range(1, end + 1), 0]
        self._previous = [end, *range(end)]
        self._number: list[int] = [number for _, number, _ in events]
        self._is_return = [is_return for _, _, is_return in events]
        self._call_at = [0] * len(operations)
        self._return_at = [-1] * len(operations)
        for at, (_, number, is_return) in enumerate(events):
            (self._return_at if is_return else self._call_at)[number] = at
        self._end = end
        self._done = 0
        self._state = plan.initial
        self._stack: list[_Taken] = []
        self._tried: dict[State, set[int]] = {}
        self._entry_bytes = ENTRY_BYTES + len(operations) // 7
        self._best = Found("not linearizable", state=plan.initial)

    def run(self) -> Found:
        """Search until an order is found, there is none, or the budget is spent."""
        entry = self._first()
        while self._missing:
            if self._budget.is_spent():
                self._note_best()
                self._best.word = "undecided"
                return self._best
            entry = self._forward(entry) if entry != self._first() else self._from_first(entry)
            if entry < 0:
                return self._best
        order = [self._operations[taken.number] for taken in self._stack]
        return Found("linearizable", order, self._state)

    def _from_first(self, entry: int) -> int:
        at = entry
        while at != self._end and not self._is_return[at]:
            number = self._number[at]
            if not self._is_open[number]:
                self._budget.steps += 1
                if self._plan.is_settled(self._state, self._done, number) and self._try(
                    number, is_settled=True
                ):
                    return self._first()
            at = self._next[at]
        return self._forward(entry)

    def _forward(self, entry: int) -> int:
        """Take the next operation that can be taken, from `entry` on; else go back by one."""
        while entry != self._end and not self._is_return[entry]:
            self._budget.steps += 1
            if self._try(self._number[entry], is_settled=False):
                return self._first()
            entry = self._next[entry]
        return self._back()

    def _first(self) -> int:
        return self._next[self._end]

    def _try(self, number: int, *, is_settled: bool) -> bool:
        if self._is_open[number]:
            before = self._same_before[number]
            if before >= 0 and not self._done >> before & 1:
                return False
            if self._plan.is_idle(self._state, self._done, number):
                return False
        done = self._done | 1 << number
        state = self._plan.take(self._state, done, number)
        if state is ILLEGAL:
            return False
        if not is_settled:
            tried = self._tried.setdefault(state, set())
            if done in tried:
                return False
            tried.add(done)
            self._budget.bytes += self._entry_bytes
        self._stack.append(_Taken(number, self._state, is_settled))
        self._state, self._done = state, done
        self._lift(number)
        return True

    def _back(self) -> int:
        self._note_best()
        while self._stack:
            taken = self._stack.pop()
            self._state = taken.state
            self._done &= ~(1 << taken.number)
            self._unlift(taken.number)
            if not taken.is_settled:
                at = self._next[self._call_at[taken.number]]
                if at == self._end or self._is_return[at]:
                    continue
                return at
        return -1

    def _lift(self, number: int) -> None:
        self._remove(self._call_at[number])
        if self._return_at[number] >= 0:
            self._remove(self._return_at[number])
            self._missing -= 1

    def _unlift(self, number: int) -> None:
        if self._return_at[number] >= 0:
            self._insert(self._return_at[number])
            self._missing += 1
        self._insert(self._call_at[number])

    def _remove(self, at: int) -> None:
        self._next[self._previous[at]] = self._next[at]
        self._previous[self._next[at]] = self._previous[at]

    def _insert(self, at: int) -> None:
        self._next[self._previous[at]] = at
        self._previous[self._next[at]] = at

    def _note_best(self) -> None:
        if self._best.stuck_at is not None and len(self._stack) <= len(self._best.order):
            return
        at = self._first()
        while at != self._end and not self._is_return[at]:
            at = self._next[at]
        stuck = self._operations[self._number[at]] if at != self._end else None
        order = [self._operations[taken.number] for taken in self._stack]
        self._best = Found("not linearizable", order, self._state, stuck)


def _same_before(operations: Sequence[Operation]) -> list[int]:
    """Return for each operation of unknown outcome the one before that asks the same, or -1."""
    found: list[int] = []
    last: dict[tuple[str, tuple[Value, ...]], int] = {}
    for number, one in enumerate(operations):
        if one.returned is not None:
            found.append(-1)
            continue
        asked = (one.function, one.arguments)
        found.append(last.get(asked, -1))
        last[asked] = number
    return found


def _points(order: Sequence[Operation]) -> dict[int, float]:
    found: dict[int, float] = {}
    at = -1.0
    for operation in order:
        # Half an event after the call at least, so that a point is seen to lie within its bar.
        at = max(at, operation.called + 0.5)
        found[operation.number] = at
    return found
