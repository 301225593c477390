"""A register, with and without compare-and-set.

A compare-and-set that was told that the values differ is `ok` with the value false: a read of
"something else". One that `fail`ed for a reason unknown had no effect, and says no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pnyx.lab.history import Operation
from pnyx.lab.models.model import ILLEGAL, UNOBSERVED, NotOfModel, State, bits, precedence
from pnyx.lab.values import FALSE, TRUE, Value

ARITY = {"read": 0, "write": 1, "cas": 2}


@dataclass(frozen=True, slots=True)
class RegisterModel:
    """Reads, writes, and compare-and-sets if it `has_cas`."""

    name: str
    has_cas: bool

    @property
    def functions(self) -> tuple[str, ...]:
        """What a history of this model may ask."""
        return ("read", "write", "cas") if self.has_cas else ("read", "write")

    def start(self, initial: Value, key: Value) -> State:
        """Return the initial value, the same for every key."""
        del key
        return initial

    def check(self, operation: Operation) -> None:
        """Raise `NotOfModel` if the arguments are too few or a write returned another value."""
        if operation.function not in self.functions:
            raise NotOfModel(f"{operation.function} is not one of {', '.join(self.functions)}")
        wanted = ARITY[operation.function]
        if len(operation.arguments) != wanted:
            raise NotOfModel(f"{operation.function} has {wanted} arguments")
        if operation.outcome != "ok" or operation.function == "read":
            return
        if operation.function == "write" and operation.value not in (None, operation.arguments[0]):
            raise NotOfModel("a write returned a value that is not the one written")
        if operation.function == "cas" and operation.value not in (None, TRUE, FALSE):
            raise NotOfModel("a cas returns true, false or null")

    def matters(self, operation: Operation) -> bool:
        """See `Model.matters`."""
        match operation.outcome:
            case "ok":
                return True
            case "fail":
                return False
            case "info":
                return operation.function != "read"

    def step(self, state: State, operation: Operation) -> tuple[bool, State]:
        """Return whether the reply is legal, and the value after."""
        if operation.outcome == "fail":
            return True, state
        is_known = operation.outcome == "ok"
        match operation.function:
            case "read":
                return not is_known or operation.value == state, state
            case "write":
                return True, operation.arguments[0]
            case _:
                expected, wanted = operation.arguments
                if is_known and operation.value == FALSE:
                    return state != expected, state
                return (True, wanted) if state == expected else (not is_known, state)

    def plan(self, operations: Sequence[Operation], start: State) -> "RegisterPlan":
        """Return the search plan of one register."""
        return RegisterPlan(self, operations, start)

    def is_removable(self, operation: Operation, kept: Sequence[Operation]) -> bool:
        """Reads always; a write if nobody kept looks for its value or was refused by another."""
        if _written(operation) is None:
            return True
        if operation.function == "cas" and operation.outcome == "ok":
            return False
        if any(_is_refused(other) for other in kept):
            return False
        wrote = operation.arguments[-1]
        return all(other is operation or wrote not in _looked_for(other) for other in kept)


def _is_refused(operation: Operation) -> bool:
    return operation.function == "cas" and operation.outcome == "ok" and operation.value == FALSE


def _written(operation: Operation) -> tuple[Value] | None:
    """Return the value that it may write, in a tuple since it may be None."""
    if operation.function == "read" or operation.outcome == "fail" or _is_refused(operation):
        return None
    return (operation.arguments[-1],)


def _looked_for(operation: Operation) -> tuple[Value, ...]:
    match operation.function, operation.outcome:
        case "read", "ok":
            return (operation.value,)
        case "cas", "ok" | "info":
            return (operation.arguments[0],)
        case _:
            return ()


class RegisterPlan:
    """Bits of who looks for each value and who could still write it."""

    def __init__(self, model: RegisterModel, operations: Sequence[Operation], start: State) -> None:
        self.initial = start
        self._model = model
        self._operations = operations
        self._lookers: dict[State, int] = {}
        self._bound: dict[State, int] = {}
        """Lookers with a known reply that only this value makes legal."""
        self._writers: dict[State, int] = {}
        self._steady = bits([n for n, one in enumerate(operations) if _written(one) is None])
        self._refused = bits([n for n, one in enumerate(operations) if _is_refused(one)])
        for number, one in enumerate(operations):
            bit = 1 << number
            for value in _looked_for(one):
                self._lookers[value] = self._lookers.get(value, 0) | bit
                if one.outcome == "ok" and not _is_refused(one):
                    self._bound[value] = self._bound.get(value, 0) | bit
            for value in _written(one) or ():
                self._writers[value] = self._writers.get(value, 0) | bit

        self._after = precedence(
            {
                number: [one, *self._bound_to(value)]
                for number, one in enumerate(operations)
                for value in _written(one) or ()
                if self._writers[value] == 1 << number and value != start and value in self._bound
            }
        )

    def _bound_to(self, value: Value) -> list[Operation]:
        bound = self._bound[value]
        return [one for number, one in enumerate(self._operations) if bound >> number & 1]

    def take(self, state: State, done: int, number: int) -> State:
        """See `Plan.take`; a value that nobody can write again must not be left too early."""
        is_legal, after = self._model.step(state, self._operations[number])
        if not is_legal or self._after.get(number, 0) & ~done:
            return ILLEGAL
        is_last_chance = not self._writers.get(state, 0) & ~done
        if after != state and is_last_chance and self._bound.get(state, 0) & ~done:
            return ILLEGAL
        return after if self._lookers.get(after, 0) & ~done else UNOBSERVED

    def is_settled(self, state: State, done: int, number: int) -> bool:
        """See `Plan.is_settled`: reads, and overwritten writes that nobody will look for."""
        if self._steady >> number & 1:
            return True
        operation = self._operations[number]
        if state is not UNOBSERVED or operation.function != "write":
            return False
        return self._is_unseen(operation.arguments[0], done)

    def is_idle(self, state: State, done: int, number: int) -> bool:
        """See `Plan.is_idle`: a write that changes nothing, or that nobody will look for."""
        operation = self._operations[number]
        wrote = operation.arguments[-1]
        if operation.function == "cas" and state != operation.arguments[0]:
            return True
        return wrote == state or self._is_unseen(wrote, done)

    def _is_unseen(self, value: Value, done: int) -> bool:
        # Who was refused sees every other value: even a write that nobody reads may serve it.
        return not (self._lookers.get(value, 0) | self._refused) & ~done
