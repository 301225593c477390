"""Keys with versions: a put names the version that it replaces (MIT 6.5840, KVServer).

A put of version 0 makes a key that is not there, with version 1. `ErrMaybe` says that the client
asked again and was told `ErrVersion`: its first request took effect before the reply, or never
will, since versions only grow. Versions and errors that were told are compared, both.
"""

from collections.abc import Sequence
from typing import Final

from pnyx.lab.history import Operation
from pnyx.lab.models.model import ILLEGAL, NotOfModel, State, bits
from pnyx.lab.values import Value

PUT_REPLIES: Final = ("OK", "ErrVersion", "ErrNoKey", "ErrMaybe")
NO_KEY: Final = "ErrNoKey"


class VersionsModel:
    """A state is a pair (value, version), or None while there is no such key."""

    name = "kv-versions"
    functions = ("get", "put")

    def start(self, initial: Value, key: Value) -> State:
        """Return the initial pair of `key`."""
        if initial is None:
            return None
        pairs = initial if isinstance(initial, tuple) else ()
        known = {pair[0]: pair[1] for pair in pairs if isinstance(pair, tuple) and len(pair) == 2}
        pair = known.get(key, known.get(str(key)))
        if len(known) != len(pairs) or pairs == ():
            raise NotOfModel("initial gives each key a value and a version")
        if pair is not None:
            _pair(pair)
        return pair

    def check(self, operation: Operation) -> None:
        """Raise `NotOfModel` if there is no version where one belongs, or an unknown error."""
        match operation.function, operation.arguments:
            case "get", ():
                pass
            case "put", (_, int()):
                pass
            case "put", _:
                raise NotOfModel("put has two arguments besides the key, a value and a version")
            case "get", _:
                raise NotOfModel("get has no arguments besides the key")
            case _:
                raise NotOfModel(f"{operation.function} is not one of get, put")
        value = operation.value
        if operation.outcome != "ok" or value is None:
            return
        if operation.function == "get":
            if value != NO_KEY:
                _pair(value)
        elif value not in PUT_REPLIES:
            raise NotOfModel(f"a put returns null or one of {', '.join(PUT_REPLIES)}")

    def matters(self, operation: Operation) -> bool:
        """See `Model.matters`; a failure that says what the state was is an answer."""
        match operation.outcome:
            case "ok":
                return True
            case "fail":
                return operation.value in {"ErrVersion", NO_KEY}
            case "info":
                return operation.function == "put"

    def step(self, state: State, operation: Operation) -> tuple[bool, State]:
        """Return whether the reply is legal, and the pair after."""
        if operation.outcome == "fail" and not self.matters(operation):
            return True, state
        is_known = operation.outcome != "info"
        if operation.function == "get":
            told = None if operation.value == NO_KEY else operation.value
            return not is_known or told == state, state
        value, version = operation.arguments
        now = version_of(state)
        if version == now:
            after: State = (value, now + 1)
            return not is_known or operation.value in {None, "OK", "ErrMaybe"}, after
        if not is_known or operation.value == "ErrMaybe":
            return True, state
        refusal = NO_KEY if state is None else "ErrVersion"
        return operation.value == refusal, state

    def plan(self, operations: Sequence[Operation], start: State) -> "VersionsPlan":
        """Return the search plan of one key."""
        return VersionsPlan(self, operations, start)

    def is_removable(self, operation: Operation, kept: Sequence[Operation]) -> bool:
        """Gets, and puts that were refused: the others are a chain."""
        del kept
        return operation.function == "get" or operation.value in {"ErrVersion", NO_KEY}


def version_of(state: State) -> int:
    """Return the version of a state; 0 while there is no such key."""
    if state is None:
        return 0
    assert isinstance(state, tuple), "a state is a pair of value and version"
    return int(state[1])


def _pair(value: Value) -> None:
    match value:
        case (_, int(version)) if version > 0:
            pass
        case _:
            raise NotOfModel("a get returns a value and its version, from 1, or ErrNoKey")


def version_needed(operation: Operation) -> int | None:
    """Return the one version at which the reply is legal, if there is one."""
    if operation.outcome == "info":
        return None
    if operation.function == "get":
        return version_of(None if operation.value == NO_KEY else operation.value)
    match operation.value:
        case None | "OK":
            version = operation.arguments[1]
            assert isinstance(version, int), "checked before"
            return version
        case "ErrNoKey":
            return 0
        case _:
            return None


class VersionsPlan:
    """Bits of who needs which version: versions only grow, so none of them may be passed."""

    def __init__(self, model: VersionsModel, operations: Sequence[Operation], start: State) -> None:
        self.initial = start
        self._model = model
        self._operations = operations
        self._needed = [version_needed(one) for one in operations]
        self._below: dict[int, int] = {}
        self._told: dict[int, int] = {}
        """Gets by the version that they were told."""
        self._told_pair: dict[State, int] = {}
        self._steady = bits([n for n, one in enumerate(operations) if model.is_removable(one, ())])
        for number, one in enumerate(operations):
            version = self._needed[number]
            if one.function == "get" and version is not None:
                self._told[version] = self._told.get(version, 0) | 1 << number
                if version:
                    pair = self._told_pair
                    pair[one.value] = pair.get(one.value, 0) | 1 << number

    def take(self, state: State, done: int, number: int) -> State:
        """See `Plan.take`; a version that somebody needs must not be passed."""
        is_legal, after = self._model.step(state, self._operations[number])
        if not is_legal:
            return ILLEGAL
        if after is state:
            return after
        version = version_of(after)
        if self._passed_by(version) & ~done:
            return ILLEGAL
        if self._told.get(version, 0) & ~self._told_pair.get(after, 0) & ~done:
            return ILLEGAL
        return after

    def is_settled(self, state: State, done: int, number: int) -> bool:
        """See `Plan.is_settled`: gets, refused puts, and those whose version has passed."""
        del done
        if self._steady >> number & 1:
            return True
        return self._is_late(state, number)

    def is_idle(self, state: State, done: int, number: int) -> bool:
        """See `Plan.is_idle`: a put of another version changes nothing now."""
        del done
        return self._operations[number].arguments[1] != version_of(state)

    def _is_late(self, state: State, number: int) -> bool:
        one = self._operations[number]
        if one.function != "put" or one.value != "ErrMaybe":
            return False
        version = one.arguments[1]
        return isinstance(version, int) and version < version_of(state)

    def _passed_by(self, version: int) -> int:
        found = self._below.get(version)
        if found is None:
            needed = enumerate(self._needed)
            found = bits([n for n, least in needed if least is not None and least < version])
            self._below[version] = found
        return found
